//! What is told of: the occasions on which people and programs hear from the service by themselves.

use super::words;

words! {
    /// What a message tells of.
    Occasion {
        /// A delivery is out.
        DeliveryPublished = "delivery.published",
        /// A delivery's outcome is hidden; it is being looked for.
        DeliveryUnknown = "delivery.unknown",
        /// A person must decide about a delivery.
        DeliveryNeedsHuman = "delivery.needs_human",
        /// A delivery is held.
        DeliveryHeld = "delivery.held",
        /// A delivery's latest useful time has passed.
        DeliveryMissed = "delivery.missed",
        /// A delivery was definitely refused.
        DeliveryFailed = "delivery.failed",
        /// The wall-clock time of a delivery means another instant than when it was scheduled.
        DeliveryZoneChanged = "delivery.zone_changed",
        /// The oldest due delivery is later than it should be.
        PublishingLate = "publishing.late",
        /// Nothing is late any more.
        PublishingOnTime = "publishing.on_time",
        /// The clock of a machine cannot be trusted.
        ClockDoubted = "time.doubted",
        /// All clocks can be trusted again.
        ClockTrusted = "time.trusted",
        /// The platform does not take an account's credential any more.
        AccountNeedsReconnect = "account.needs_reconnect",
        /// The platform wants something done before an account may publish again.
        AccountPaused = "account.paused",
        /// Most of what creates may cost in this month is spent.
        MoneyLow = "money.low",
        /// What ordinary posts may cost in this month is spent: they are held.
        MoneySpent = "money.spent",
        /// A webhook failed for so long that it is not tried any more.
        WebhookDisabled = "webhook.disabled",
    }
}

words! {
    /// The language in which a person is written to.
    Locale {
        /// Vietnamese.
        Vi = "vi",
        /// English.
        En = "en",
    }
}

impl Occasion {
    /// The audit's word for an adopted delivery, which is out as well.
    const ADOPTED: &'static str = "delivery.adopt";

    /// The audit's words that are occasions.
    pub fn actions() -> Vec<&'static str> {
        Self::ALL.iter().map(|it| it.as_str()).chain([Self::ADOPTED]).collect()
    }

    /// The occasion that an audit entry with this word is.
    pub fn of_action(action: &str) -> Option<Self> {
        if action == Self::ADOPTED {
            return Some(Self::DeliveryPublished);
        }
        action.parse().ok()
    }

    /// Whether it is put before people who have not said what they want: all but what is as it
    /// should be, or passes by itself.
    pub const fn is_usual(self) -> bool {
        match self {
            Self::DeliveryPublished | Self::DeliveryUnknown => false,
            Self::DeliveryNeedsHuman
            | Self::DeliveryHeld
            | Self::DeliveryMissed
            | Self::DeliveryFailed
            | Self::DeliveryZoneChanged
            | Self::PublishingLate
            | Self::PublishingOnTime
            | Self::ClockDoubted
            | Self::ClockTrusted
            | Self::AccountNeedsReconnect
            | Self::AccountPaused
            | Self::MoneyLow
            | Self::MoneySpent
            | Self::WebhookDisabled => true,
        }
    }

    /// What people see who have not said what they want.
    pub fn usual() -> Vec<Self> {
        Self::ALL.iter().copied().filter(|it| it.is_usual()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_audit_that_is_an_occasion_is_found_again() {
        for action in Occasion::actions() {
            assert!(Occasion::of_action(action).is_some(), "{action}");
        }
        assert_eq!(Occasion::of_action("delivery.adopt"), Some(Occasion::DeliveryPublished));
        assert_eq!(Occasion::of_action("delivery.publishing"), None);
    }

    #[test]
    fn what_needs_nobody_is_not_put_before_everybody() {
        let usual = Occasion::usual();
        assert!(!usual.contains(&Occasion::DeliveryPublished));
        assert!(usual.contains(&Occasion::DeliveryNeedsHuman));
    }
}
