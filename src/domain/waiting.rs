//! What a delivery waits for, in words, and whose move it is: nothing may stand still in silence.

use super::delivery::DeliveryState;
use super::words;

words! {
    /// Whose move it is.
    Party {
        /// A person must do something.
        Person = "person",
        /// The service goes on by itself.
        Service = "service",
    }
}

words! {
    /// For whom something waits.
    Whose {
        /// For whoever asks.
        Me = "me",
    }
}

words! {
    /// What a delivery waits for.
    Cause {
        /// Its instant.
        Due = "due",
        /// The platform's answer.
        Platform = "platform",
        /// A look at what the platform really has.
        Reconcile = "reconcile",
        /// A person's word.
        Person = "person",
        /// The end of a hold.
        Hold = "hold",
        /// A person's word about what was due while a hold stood.
        Review = "review",
        /// Its account to be able to publish again.
        Account = "account",
        /// Its unit or its post.
        Unit = "unit",
        /// Approvals.
        Approval = "approval",
        /// Somebody to proof what it says.
        Translation = "translation",
        /// The end of an embargo on what it says, its campaign, or a picture or video.
        Embargo = "embargo",
        /// A licence in the place of one that has ended.
        Licence = "licence",
        /// The release of a database that came back from a backup.
        Quarantine = "quarantine",
        /// A person to give it a time again.
        TimeZone = "time_zone",
        /// The month's budget.
        Money = "money",
        /// A time that can be trusted.
        Clock = "clock",
        /// A file that is not where media are kept.
        MediaMissing = "media_missing",
        /// The platform lets the account wait.
        RateLimit = "rate_limit",
        /// The same for the rest of a day.
        DailyLimit = "daily_limit",
        /// The same for the rest of a month.
        MonthlyLimit = "monthly_limit",
        /// The platform wants fewer requests.
        Throttled = "throttled",
        /// Room in a window of creates.
        Budget = "budget",
        /// Its turn after an outage.
        CatchUp = "catch_up",
        /// Somebody at the platform's side who answers.
        Circuit = "circuit",
        /// The end of a refusal that hits several accounts.
        Incident = "incident",
        /// The same text is in doubt there.
        SameTextInDoubt = "same_text_in_doubt",
        /// The part of its post that comes before it.
        EarlierPart = "earlier_part",
        /// A new access token in the place of one that has ended.
        TokenRefresh = "token_refresh",
        /// Another try, after something that passes.
        Retry = "retry",
    }
}

const EMBARGO: [&str; 2] = ["Chờ đến giờ được phép công bố", "Waits for the end of an embargo"];
const LICENCE: [&str; 2] =
    ["Giấy phép của ảnh hoặc video đã hết hạn", "The licence of a picture or video has ended"];
const MEDIA_MISSING: [&str; 2] =
    ["Thiếu tệp ảnh hoặc video, chờ đưa tệp trở lại", "Waits for a file to be brought back"];
const TRANSLATION: [&str; 2] =
    ["Chờ người hiệu đính bản dịch", "Waits for its translation to be proofed"];
const TIME_ZONE: [&str; 2] = [
    "Múi giờ đã thay đổi, chờ định lại giờ đăng",
    "Its zone's clocks have changed: waits for a new time",
];

impl Cause {
    /// The cause of this word; words of platforms for what passes are all one.
    pub fn of_code(code: &str) -> Self {
        code.parse().unwrap_or(Self::Retry)
    }

    /// What a delivery in this state waits for when nothing more precise is known; nothing at its end.
    pub const fn usual(state: DeliveryState) -> Option<Self> {
        match state {
            DeliveryState::Draft | DeliveryState::NeedsHuman => Some(Self::Person),
            DeliveryState::PendingApproval => Some(Self::Approval),
            DeliveryState::Scheduled => Some(Self::Due),
            DeliveryState::Publishing => Some(Self::Platform),
            DeliveryState::Unknown => Some(Self::Reconcile),
            DeliveryState::Held => Some(Self::Account),
            DeliveryState::Published
            | DeliveryState::Missed
            | DeliveryState::Failed
            | DeliveryState::Cancelled
            | DeliveryState::Vanished
            | DeliveryState::Recalled => None,
        }
    }

    /// Whose move it is.
    pub const fn party(self) -> Party {
        match self {
            Self::Person
            | Self::Hold
            | Self::Review
            | Self::Account
            | Self::Unit
            | Self::Approval
            | Self::Translation
            | Self::Licence
            | Self::Quarantine
            | Self::TimeZone
            | Self::Money
            | Self::MediaMissing => Party::Person,
            Self::Due
            | Self::Platform
            | Self::Reconcile
            | Self::Clock
            | Self::RateLimit
            | Self::DailyLimit
            | Self::MonthlyLimit
            | Self::Throttled
            | Self::Budget
            | Self::CatchUp
            | Self::Circuit
            | Self::Incident
            | Self::SameTextInDoubt
            | Self::EarlierPart
            | Self::Embargo
            | Self::TokenRefresh
            | Self::Retry => Party::Service,
        }
    }

    /// Whether only an administrator can do something about it, whoever scheduled the delivery.
    pub const fn needs_administrator(self) -> bool {
        matches!(self, Self::Quarantine)
    }

    /// The words of all causes with this party.
    pub fn codes_of(party: Party) -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().filter(move |cause| cause.party() == party).map(|cause| cause.as_str())
    }

    /// In a few words: Vietnamese, then English.
    pub const fn title(self) -> [&'static str; 2] {
        match self {
            Self::Due => ["Chờ đến giờ đăng", "Waits for its time"],
            Self::Platform => ["Chờ nền tảng trả lời", "Waits for the platform's answer"],
            Self::Reconcile => {
                ["Đang kiểm tra xem bài đã lên nền tảng chưa", "Being looked for at the platform"]
            }
            Self::Person => ["Chờ một người quyết định", "Waits for a person's decision"],
            Self::Hold => ["Chờ hết lệnh tạm dừng", "Waits for the end of a hold"],
            Self::Review => ["Chờ một người xem xét", "Waits for a person's review"],
            Self::Account => ["Chờ tài khoản kết nối lại", "Waits for its account to be mended"],
            Self::Unit => {
                ["Đơn vị đã đóng hoặc bài đã bị xóa", "Its unit is closed or its post was removed"]
            }
            Self::Approval => ["Chờ phê duyệt", "Waits for approvals"],
            Self::Translation => TRANSLATION,
            Self::Embargo => EMBARGO,
            Self::Licence => LICENCE,
            Self::Quarantine => [
                "Chờ quản trị viên cho phép gửi lại sau khi khôi phục",
                "Waits for an administrator after a restore",
            ],
            Self::TimeZone => TIME_ZONE,
            Self::Money => ["Chờ ngân sách của tháng", "Waits for the month's budget"],
            Self::Clock => {
                ["Chờ đồng hồ đáng tin trở lại", "Waits for a clock that can be trusted"]
            }
            Self::MediaMissing => MEDIA_MISSING,
            Self::RateLimit | Self::Throttled => {
                ["Nền tảng yêu cầu chờ", "The platform lets the account wait"]
            }
            Self::DailyLimit => {
                ["Chờ hết hạn mức trong ngày", "Waits for the platform's daily limit"]
            }
            Self::MonthlyLimit => {
                ["Chờ hết hạn mức trong tháng", "Waits for the platform's monthly limit"]
            }
            Self::Budget => ["Chờ hạn mức đăng bài", "Waits for room among the creates"],
            Self::CatchUp => {
                ["Chờ đến lượt sau khi gián đoạn", "Waits for its turn after an outage"]
            }
            Self::Circuit => [
                "Nền tảng hoặc tài khoản không trả lời",
                "The platform or the account does not answer",
            ],
            Self::Incident => [
                "Nền tảng đang từ chối nhiều tài khoản",
                "The platform refuses several accounts alike",
            ],
            Self::SameTextInDoubt => {
                ["Chờ kết quả của bài giống hệt", "Waits for the outcome of the same text"]
            }
            Self::EarlierPart => ["Chờ phần trước", "Waits for the part before it"],
            Self::TokenRefresh => {
                ["Chờ gia hạn quyền truy cập của tài khoản", "Waits for its account's new token"]
            }
            Self::Retry => ["Sẽ thử lại", "Will be tried again"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new state does not compile without its cause; and none that is not final goes without.
    #[test]
    fn no_state_is_silent() {
        for &state in DeliveryState::ALL {
            assert_eq!(Cause::usual(state).is_none(), state.is_final(), "{state}");
        }
    }

    #[test]
    fn every_cause_has_words_in_both_languages_and_a_party() {
        for &cause in Cause::ALL {
            let [vi, en] = cause.title();
            assert!(!vi.is_ascii() && en.is_ascii() && !en.is_empty(), "{cause}: {vi} / {en}");
        }
        let persons: Vec<_> = Cause::codes_of(Party::Person).collect();
        assert!(persons.contains(&"review") && !persons.contains(&"due"));
        let all = persons.len() + Cause::codes_of(Party::Service).count();
        assert_eq!(all, Cause::ALL.len());
    }

    #[test]
    fn what_a_platform_calls_it_is_tried_again() {
        assert_eq!(Cause::of_code("review"), Cause::Review);
        assert_eq!(Cause::of_code("connect"), Cause::Retry);
        assert_eq!(Cause::of_code("media_unreadable").party(), Party::Service);
        assert_eq!(Cause::of_code("media_missing").party(), Party::Person);
    }
}
