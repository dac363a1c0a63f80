//! What people read of an occasion, in plain words, in Vietnamese and English.

use serde::{Deserialize, Serialize};

use super::outbox::{Locale, Occasion};

/// What a sentence names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The post's title, the account's name, or what else it is about.
    #[serde(default)]
    pub what: String,
    /// Where: the account's name.
    #[serde(default)]
    pub place: String,
    /// The reason as the service knows it, in English.
    #[serde(default)]
    pub reason: String,
    /// How many deliveries it is about, when it is not about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
}

/// A short heading for an occasion, without names: it also heads mails, which others may see.
pub const fn heading(occasion: Occasion, locale: Locale) -> &'static str {
    match (occasion, locale) {
        (Occasion::DeliveryPublished, Locale::Vi) => "Bài đã đăng",
        (Occasion::DeliveryPublished, Locale::En) => "Published",
        (Occasion::DeliveryUnknown, Locale::Vi) => "Chưa rõ bài đã lên hay chưa",
        (Occasion::DeliveryUnknown, Locale::En) => "Not yet known whether it is out",
        (Occasion::DeliveryNeedsHuman, Locale::Vi) => "Bài cần người quyết định",
        (Occasion::DeliveryNeedsHuman, Locale::En) => "A person must decide",
        (Occasion::DeliveryHeld, Locale::Vi) => "Bài đang bị giữ lại",
        (Occasion::DeliveryHeld, Locale::En) => "Held back",
        (Occasion::DeliveryMissed, Locale::Vi) => "Bài đã quá giờ nên không đăng",
        (Occasion::DeliveryMissed, Locale::En) => "Too late, so it was not sent",
        (Occasion::DeliveryFailed, Locale::Vi) => "Bài không đăng được",
        (Occasion::DeliveryFailed, Locale::En) => "Could not be published",
        (Occasion::DeliveryZoneChanged, Locale::Vi) => "Múi giờ đã thay đổi, cần định lại giờ đăng",
        (Occasion::DeliveryZoneChanged, Locale::En) => "A zone's clocks have changed: say when",
        (Occasion::PublishingLate, Locale::Vi) => "Việc đăng bài đang chậm",
        (Occasion::PublishingLate, Locale::En) => "Publishing is late",
        (Occasion::PublishingOnTime, Locale::Vi) => "Việc đăng bài đã đúng giờ trở lại",
        (Occasion::PublishingOnTime, Locale::En) => "Publishing is on time again",
        (Occasion::ClockDoubted, Locale::Vi) => "Đồng hồ máy chủ không đáng tin",
        (Occasion::ClockDoubted, Locale::En) => "A clock cannot be trusted",
        (Occasion::ClockTrusted, Locale::Vi) => "Đồng hồ máy chủ đã đúng trở lại",
        (Occasion::ClockTrusted, Locale::En) => "All clocks are trusted again",
        (Occasion::AccountNeedsReconnect, Locale::Vi) => "Tài khoản cần kết nối lại",
        (Occasion::AccountNeedsReconnect, Locale::En) => "An account must be connected again",
        (Occasion::AccountPaused, Locale::Vi) => "Tài khoản bị nền tảng tạm ngừng",
        (Occasion::AccountPaused, Locale::En) => "The platform has paused an account",
        (Occasion::MoneyLow, Locale::Vi) => "Ngân sách tháng sắp hết",
        (Occasion::MoneyLow, Locale::En) => "The month's budget runs low",
        (Occasion::MoneySpent, Locale::Vi) => "Ngân sách tháng đã hết; bài thường phải chờ",
        (Occasion::MoneySpent, Locale::En) => "The month's budget is spent; ordinary posts wait",
        (Occasion::DeliveriesWaiting, Locale::Vi) => "Có bài đang chờ bạn quyết định",
        (Occasion::DeliveriesWaiting, Locale::En) => "Posts wait for you",
        (Occasion::DeliveriesStuck, Locale::Vi) => "Có bài bị kẹt giữa chừng",
        (Occasion::DeliveriesStuck, Locale::En) => "Deliveries are stuck",
        (Occasion::DeliveriesMoving, Locale::Vi) => "Không còn bài nào bị kẹt",
        (Occasion::DeliveriesMoving, Locale::En) => "No delivery is stuck any more",
        (Occasion::HoldPlaced, Locale::Vi) => "Lệnh tạm dừng đã có hiệu lực",
        (Occasion::HoldPlaced, Locale::En) => "A hold stands",
        (Occasion::HoldEnding, Locale::Vi) => "Lệnh tạm dừng sắp hết hạn",
        (Occasion::HoldEnding, Locale::En) => "A hold is about to end",
        (Occasion::HoldLifted, Locale::Vi) => "Lệnh tạm dừng đã được gỡ",
        (Occasion::HoldLifted, Locale::En) => "A hold was lifted",
        (Occasion::JobSetAside, Locale::Vi) => {
            "Một việc đã bị gác lại sau ba lần làm hỏng tiến trình"
        }
        (Occasion::JobSetAside, Locale::En) => "A job was set aside after it was lost three times",
        (Occasion::QuarantineBegun, Locale::Vi) => "Cơ sở dữ liệu vừa khôi phục: chưa gửi gì cả",
        (Occasion::QuarantineBegun, Locale::En) => "The database came back: nothing is sent",
        (Occasion::QuarantineReleased, Locale::Vi) => "Đã cho phép gửi lại sau khi khôi phục",
        (Occasion::QuarantineReleased, Locale::En) => "The database may send again",
        (Occasion::WebhookDisabled, Locale::Vi) => "Webhook đã bị tắt",
        (Occasion::WebhookDisabled, Locale::En) => "A webhook was switched off",
    }
}

/// One line on what happened.
pub fn sentence(occasion: Occasion, locale: Locale, names: &Names) -> String {
    let mut text = heading(occasion, locale).to_owned();
    if let Some(count) = names.count {
        let posts = match (locale, count) {
            (Locale::Vi, _) => "bài",
            (Locale::En, 1) => "post",
            (Locale::En, _) => "posts",
        };
        for part in [": ", &count.to_string(), " ", posts] {
            text.push_str(part);
        }
    }
    if !names.what.is_empty() {
        text.push_str(": ");
        text.push_str(&names.what);
    }
    if !names.place.is_empty() {
        text.push_str(" – ");
        text.push_str(&names.place);
    }
    if !names.reason.is_empty() {
        text.push_str(" (");
        text.push_str(&names.reason);
        text.push(')');
    }
    // A title could hold what begins a new line or a new header elsewhere.
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occasion_has_words_in_both_languages() {
        for &occasion in Occasion::ALL {
            let (vi, en) = (heading(occasion, Locale::Vi), heading(occasion, Locale::En));
            assert!(!vi.is_ascii() && en.is_ascii() && !en.is_empty(), "{occasion}: {vi} / {en}");
        }
    }

    #[test]
    fn a_sentence_is_one_line_whatever_it_names() {
        let names = Names {
            what: "Quốc khánh\r\nBcc: all@example.org".into(),
            place: "Page".into(),
            reason: "late".into(),
            count: None,
        };
        let text = sentence(Occasion::DeliveryMissed, Locale::En, &names);
        assert_eq!(
            text,
            "Too late, so it was not sent: Quốc khánh  Bcc: all@example.org – Page (late)"
        );
        let many = Names { count: Some(12), reason: "review".into(), ..Names::default() };
        let text = sentence(Occasion::DeliveriesWaiting, Locale::Vi, &many);
        assert_eq!(text, "Có bài đang chờ bạn quyết định: 12 bài (review)");
        assert!(!sentence(Occasion::PublishingLate, Locale::Vi, &Names::default()).contains(':'));
    }
}
