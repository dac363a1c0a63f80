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
    let [vi, en] = headings(occasion);
    match locale {
        Locale::Vi => vi,
        Locale::En => en,
    }
}

/// In Vietnamese, then in English.
#[expect(clippy::too_many_lines, reason = "one line for each occasion")]
const fn headings(occasion: Occasion) -> [&'static str; 2] {
    use Occasion as O;
    match occasion {
        O::DeliveryPublished => ["Bài đã đăng", "Published"],
        O::DeliveryUnknown => ["Chưa rõ bài đã lên hay chưa", "Not yet known whether it is out"],
        O::DeliveryNeedsHuman => ["Bài cần người quyết định", "A person must decide"],
        O::DeliveryHeld => ["Bài đang bị giữ lại", "Held back"],
        O::DeliveryMissed => ["Bài đã quá giờ nên không đăng", "Too late, so it was not sent"],
        O::DeliveryFailed => ["Bài không đăng được", "Could not be published"],
        O::ApprovalWanted => ["Có bài chờ bạn duyệt", "A post waits for your approval"],
        O::ApprovalGiven => ["Bài đã được duyệt", "Approved"],
        O::ApprovalRefused => {
            ["Bài không được duyệt, hoặc phê duyệt đã bị rút lại", "Not approved, or not any more"]
        }
        O::CommentMention => ["Có ghi chú gọi bạn trong một bài", "A note on a post calls you"],
        O::KitOffered => ["Có bài mời đơn vị bạn cùng đăng", "A post is offered to your unit"],
        O::KitAccepted => ["Đơn vị đã nhận bài được mời đăng", "A unit takes what was offered"],
        O::KitAdapted => ["Đơn vị đã sửa bài được mời đăng", "A unit has adapted its copy"],
        O::KitDeclined => {
            ["Đơn vị không nhận bài được mời đăng", "A unit declines what was offered"]
        }
        O::KitCorrected => {
            ["Bài gốc được mời đăng đã được sửa", "What was offered has been corrected"]
        }
        O::VariantStale => [
            "Bản gốc đã thay đổi: hãy xem lại bản dịch",
            "The source has changed: look at its translations",
        ],
        O::DeliveryZoneChanged => {
            ["Múi giờ đã thay đổi, cần định lại giờ đăng", "A zone's clocks have changed: say when"]
        }
        O::DeliveryVanished => [
            "Bài đã đăng bị nền tảng gỡ; hệ thống không đăng lại",
            "Removed at the platform; never sent again",
        ],
        O::PostsMissing => ["Nhiều bài tạm thời không thấy được", "Many posts cannot be seen"],
        O::PostsFound => ["Các bài đã thấy lại được", "Posts can be seen again"],
        O::PostsForeign => {
            ["Có bài lạ: không ai nhận thì tạm dừng tài khoản", "Not from here: hold the account?"]
        }
        O::DeliveryRecalled => ["Bài đã được thu hồi", "Recalled: deleted at the platform"],
        O::RecallStuck => {
            ["Chưa thu hồi được bài, cần người xử lý", "A recall does not get on: see to it"]
        }
        O::DeliveryCorrected => ["Bài đã được đính chính", "Corrected: the post has its new text"],
        O::CorrectionStuck => {
            ["Chưa đính chính được bài, cần người xử lý", "A correction does not get on: see to it"]
        }
        O::SeriesStuck => [
            "Loạt bài định kỳ có lần không lên lịch được",
            "Something of a series could not be scheduled",
        ],
        O::SeriesMissed => {
            ["Loạt bài định kỳ đã lỡ lần đăng, không đăng bù", "Dates of a series were missed"]
        }
        O::PublishingLate => ["Việc đăng bài đang chậm", "Publishing is late"],
        O::PublishingOnTime => ["Việc đăng bài đã đúng giờ trở lại", "Publishing is on time again"],
        O::ClockDoubted => ["Đồng hồ máy chủ không đáng tin", "A clock cannot be trusted"],
        O::ClockTrusted => ["Đồng hồ máy chủ đã đúng trở lại", "All clocks are trusted again"],
        O::AccountNeedsReconnect => {
            ["Tài khoản cần kết nối lại", "An account must be connected again"]
        }
        O::AccountEnding => {
            ["Một tài khoản cần đăng nhập lại sớm", "An account's access ends soon"]
        }
        O::AccountUnfit => [
            "Bài sắp đến giờ nhưng tài khoản chưa đăng được",
            "Due soon on an account that cannot publish it",
        ],
        O::AccountPaused => {
            ["Tài khoản bị nền tảng tạm ngừng", "The platform has paused an account"]
        }
        O::VersionEnding => {
            ["Phiên bản giao diện của nền tảng sắp hết hạn", "A platform's version ends soon"]
        }
        O::MoneyLow => ["Ngân sách tháng sắp hết", "The month's budget runs low"],
        O::MoneySpent => ["Ngân sách tháng đã hết; bài thường phải chờ", "The budget is spent"],
        O::DeliveriesWaiting => ["Có bài đang chờ bạn quyết định", "Posts wait for you"],
        O::DeliveriesStuck => ["Có bài bị kẹt giữa chừng", "Deliveries are stuck"],
        O::DeliveriesMoving => ["Không còn bài nào bị kẹt", "No delivery is stuck any more"],
        O::HoldPlaced => ["Lệnh tạm dừng đã có hiệu lực", "A hold stands"],
        O::HoldEnding => ["Lệnh tạm dừng sắp hết hạn", "A hold is about to end"],
        O::HoldLifted => ["Lệnh tạm dừng đã được gỡ", "A hold was lifted"],
        O::JobSetAside => {
            ["Một việc bị gác lại sau ba lần hỏng", "A job was set aside: lost three times"]
        }
        O::InvariantViolated => {
            ["Hệ thống phát hiện một cam kết bị vi phạm", "A promise of the service is broken"]
        }
        O::AuditHead => ["Chữ ký của nhật ký", "A signed head of the audit"],
        O::QuarantineBegun => [
            "Cơ sở dữ liệu vừa khôi phục: chưa gửi gì cả",
            "The database came back: nothing is sent",
        ],
        O::QuarantineReleased => {
            ["Đã cho phép gửi lại sau khi khôi phục", "The database may send again"]
        }
        O::WebhookDisabled => ["Webhook đã bị tắt", "A webhook was switched off"],
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
