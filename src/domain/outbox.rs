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
        /// Somebody asks for approval of a post.
        ApprovalWanted = "approval.wanted",
        /// A post has all the approvals that it needs.
        ApprovalGiven = "approval.given",
        /// Somebody refused a post, or has taken back his approval of it.
        ApprovalRefused = "approval.refused",
        /// A note on a post calls somebody, or answers his.
        CommentMention = "comment.mention",
        /// A post of another unit is offered to a unit.
        KitOffered = "kit.offered",
        /// A unit takes what it was offered.
        KitAccepted = "kit.accepted",
        /// A unit says it otherwise than it was offered.
        KitAdapted = "kit.adapted",
        /// A unit does not want what it was offered.
        KitDeclined = "kit.declined",
        /// What a unit has a copy of was changed by whoever offers it.
        KitCorrected = "kit.corrected",
        /// The source of variants has changed since they were made from it.
        VariantStale = "variant.stale",
        /// The wall-clock time of a delivery means another instant than when it was scheduled.
        DeliveryZoneChanged = "delivery.zone_changed",
        /// A published delivery is certainly not there any more; nobody here has deleted it.
        DeliveryVanished = "delivery.vanished",
        /// So many posts of a platform are missed at once that none of them is said to be gone.
        PostsMissing = "posts.missing",
        /// That is over.
        PostsFound = "posts.found",
        /// Accounts show posts that did not come from here.
        PostsForeign = "posts.foreign",
        /// A published delivery was deleted because a person wanted it.
        DeliveryRecalled = "delivery.recalled",
        /// A recall does not get on: a person must see to it.
        RecallStuck = "delivery.recall_stuck",
        /// A published delivery says what a person has corrected it to.
        DeliveryCorrected = "delivery.corrected",
        /// A correction does not get on, or somebody else has changed the post: a person must see to it.
        CorrectionStuck = "delivery.correction_stuck",
        /// Something of a series could not be scheduled.
        SeriesStuck = "series.stuck",
        /// Dates of a series passed while the service was not working.
        SeriesMissed = "series.missed",
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
        /// An account's access ends unless somebody signs in again.
        AccountEnding = "account.ending",
        /// What is due soon stands on an account that cannot publish it.
        AccountUnfit = "account.unfit",
        /// The platform wants something done before an account may publish again.
        AccountPaused = "account.paused",
        /// The version of a platform's interface that is in use ends soon, or has ended.
        VersionEnding = "version.ending",
        /// Most of what creates may cost in this month is spent.
        MoneyLow = "money.low",
        /// What ordinary posts may cost in this month is spent: they are held.
        MoneySpent = "money.spent",
        /// Deliveries wait for a person: at once where many wait for one reason, and again until decided.
        DeliveriesWaiting = "deliveries.waiting",
        /// Deliveries are on their way or in doubt for longer than can be.
        DeliveriesStuck = "deliveries.stuck",
        /// None is any more.
        DeliveriesMoving = "deliveries.moving",
        /// A hold stands.
        HoldPlaced = "hold.placed",
        /// A hold is about to end by itself.
        HoldEnding = "hold.ending",
        /// People have lifted a hold.
        HoldLifted = "hold.lifted",
        /// A job was lost so often that it is not run again.
        JobSetAside = "job.set_aside",
        /// The service has found that one of its promises is broken.
        InvariantViolated = "invariant.violated",
        /// A head of the audit, signed: to be kept elsewhere.
        AuditHead = "audit.head",
        /// The database came back from a backup: nothing is sent.
        QuarantineBegun = "quarantine.begun",
        /// A person let it send again.
        QuarantineReleased = "quarantine.released",
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

/// The audit's word for many deliveries of an account about which a person must decide.
pub const MANY_ASK: &str = "deliveries.need_human";
/// The audit's word for many deliveries of an account whose wall-clock times mean other instants.
pub const MANY_CHANGED: &str = "deliveries.zone_changed";

impl Occasion {
    /// The audit's words for many deliveries together that are told of as one occasion, and for
    /// acts of people that are occasions too.
    const ACTS: [(&'static str, Self); 5] = [
        (MANY_ASK, Self::DeliveryNeedsHuman),
        (MANY_CHANGED, Self::DeliveryZoneChanged),
        ("delivery.adopt", Self::DeliveryPublished),
        ("quarantine.begin", Self::QuarantineBegun),
        ("quarantine.release", Self::QuarantineReleased),
    ];

    /// The audit's words that are occasions.
    pub fn actions() -> Vec<&'static str> {
        let acts = Self::ACTS.iter().map(|(word, _)| *word);
        Self::ALL.iter().map(|it| it.as_str()).chain(acts).collect()
    }

    /// The occasion that an audit entry with this word is.
    pub fn of_action(action: &str) -> Option<Self> {
        let act = Self::ACTS.iter().find(|(word, _)| *word == action);
        act.map(|(_, occasion)| *occasion).or_else(|| action.parse().ok())
    }

    /// Whether it is put before people who have not said what they want: all but what is as it
    /// should be, passes by itself, or is told of together with others like it.
    pub const fn is_usual(self) -> bool {
        match self {
            Self::DeliveryPublished
            | Self::DeliveryUnknown
            | Self::DeliveryHeld
            | Self::AuditHead => false,
            Self::DeliveryNeedsHuman
            | Self::DeliveryMissed
            | Self::DeliveryFailed
            | Self::DeliveryZoneChanged
            | Self::ApprovalWanted
            | Self::ApprovalGiven
            | Self::ApprovalRefused
            | Self::CommentMention
            | Self::KitOffered
            | Self::KitAccepted
            | Self::KitAdapted
            | Self::KitDeclined
            | Self::KitCorrected
            | Self::VariantStale
            | Self::DeliveryVanished
            | Self::PostsMissing
            | Self::PostsFound
            | Self::PostsForeign
            | Self::DeliveryRecalled
            | Self::RecallStuck
            | Self::DeliveryCorrected
            | Self::CorrectionStuck
            | Self::SeriesStuck
            | Self::SeriesMissed
            | Self::PublishingLate
            | Self::PublishingOnTime
            | Self::ClockDoubted
            | Self::ClockTrusted
            | Self::AccountNeedsReconnect
            | Self::AccountEnding
            | Self::AccountUnfit
            | Self::AccountPaused
            | Self::VersionEnding
            | Self::MoneyLow
            | Self::MoneySpent
            | Self::DeliveriesWaiting
            | Self::DeliveriesStuck
            | Self::DeliveriesMoving
            | Self::HoldPlaced
            | Self::HoldEnding
            | Self::HoldLifted
            | Self::JobSetAside
            | Self::InvariantViolated
            | Self::QuarantineBegun
            | Self::QuarantineReleased
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
