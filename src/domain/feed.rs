//! Calendar feeds: what a person's own calendar program is shown, and in which words.

use super::delivery::DeliveryState;
use super::event::EventKind;
use super::outbox::Locale;
use super::words;

words! {
    /// Which entries of the calendar a feed has.
    FeedContent {
        /// What goes out.
        Deliveries = "deliveries",
        /// What else is on that day.
        Events = "events",
        /// All of it.
        Both = "both",
    }
}

/// How firm an entry is, in the standard's words: what may still not come to be is tentative.
pub const fn firmness(state: DeliveryState) -> &'static str {
    use DeliveryState as S;
    match state {
        S::Scheduled | S::Publishing | S::Published | S::Vanished | S::Recalled => "CONFIRMED",
        S::Draft
        | S::PendingApproval
        | S::Unknown
        | S::NeedsHuman
        | S::Held
        | S::Missed
        | S::Failed => "TENTATIVE",
        S::Cancelled => "CANCELLED",
    }
}

/// How a delivery stands, for people.
pub const fn state_words(state: DeliveryState, locale: Locale) -> &'static str {
    use DeliveryState as S;
    let [vi, en] = match state {
        S::Draft => ["bản nháp", "draft"],
        S::PendingApproval => ["chờ duyệt", "waits for approval"],
        S::Scheduled => ["đã lên lịch", "scheduled"],
        S::Publishing => ["đang đăng", "being published"],
        S::Published => ["đã đăng", "published"],
        S::Unknown => ["chưa rõ đã lên hay chưa", "not yet known whether it is out"],
        S::NeedsHuman => ["cần người quyết định", "a person must decide"],
        S::Held => ["đang bị giữ lại", "held back"],
        S::Missed => ["đã quá giờ, không đăng", "missed"],
        S::Failed => ["không đăng được", "failed"],
        S::Cancelled => ["đã hủy", "cancelled"],
        S::Vanished => ["bị nền tảng gỡ", "removed at the platform"],
        S::Recalled => ["đã thu hồi", "recalled"],
    };
    choose(locale, vi, en)
}

/// What kind of event it is, for people.
pub const fn kind_words(kind: EventKind, locale: Locale) -> &'static str {
    let [vi, en] = match kind {
        EventKind::Visit => ["chuyến thăm", "visit"],
        EventKind::Briefing => ["họp báo", "briefing"],
        EventKind::NationalDay => ["quốc khánh", "national day"],
        EventKind::Anniversary => ["ngày kỷ niệm", "anniversary"],
        EventKind::Festival => ["lễ hội", "festival"],
        EventKind::Mourning => ["quốc tang", "mourning"],
        EventKind::Election => ["bầu cử", "election"],
        EventKind::Other => ["sự kiện khác", "other event"],
    };
    choose(locale, vi, en)
}

/// One of two, by the language.
pub const fn choose<'a>(locale: Locale, vi: &'a str, en: &'a str) -> &'a str {
    match locale {
        Locale::Vi => vi,
        Locale::En => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_and_kind_has_its_words_in_both_languages() {
        for state in DeliveryState::ALL {
            assert_ne!(state_words(*state, Locale::Vi), state_words(*state, Locale::En));
            assert_eq!(firmness(*state) == "CANCELLED", *state == DeliveryState::Cancelled);
        }
        for kind in EventKind::ALL {
            assert_ne!(kind_words(*kind, Locale::Vi), kind_words(*kind, Locale::En));
        }
    }
}
