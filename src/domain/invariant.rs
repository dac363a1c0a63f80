//! What must never happen, as far as the running service can look for it in its own database.

use super::delivery::DeliveryState;
use super::words;

words! {
    /// A promise that is checked while the service runs.
    Invariant {
        /// Never two successful creates for one delivery.
        OneCreate = "one_create",
        /// At most one delivery of an account is on its way.
        OnePublishing = "one_publishing",
        /// What is published left at or after its instant and before its latest useful time.
        InTime = "in_time",
        /// What has come to its end stays there, but for what is removed after publishing.
        FinalStays = "final_stays",
        /// Every state was told to the audit.
        Audited = "audited",
        /// The audit is the chain that it was written as.
        Chain = "chain",
        /// A post at a platform belongs to one delivery.
        OneRemote = "one_remote",
        /// A fence was given to one process, and none is used that was not given.
        Fences = "fences",
    }
}

/// The state that a word of the audit has brought a delivery to; nothing for other words.
pub fn state_after(action: &str) -> Option<DeliveryState> {
    let word = action.strip_prefix("delivery.")?;
    match word {
        "schedule" | "reschedule" | "release" | "retry" => Some(DeliveryState::Scheduled),
        "plan" => Some(DeliveryState::PendingApproval),
        "adopt" => Some(DeliveryState::Published),
        "cancel" | "drop" => Some(DeliveryState::Cancelled),
        state => state.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_word_that_leads_to_it() {
        for &state in DeliveryState::ALL {
            assert_eq!(state_after(&format!("delivery.{state}")), Some(state));
        }
        assert_eq!(state_after("delivery.retry"), Some(DeliveryState::Scheduled));
        assert_eq!(state_after("delivery.adopt"), Some(DeliveryState::Published));
        assert_eq!(state_after("delivery.look_lost"), None);
        assert_eq!(state_after("hold.lift"), None);
    }
}
