//! Words for problems of holds and of reviews after them.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "one_scope",
        "Not one scope",
        "Phạm vi không rõ",
        "Hãy cho đúng một trong: all: true, platform, unit_id, account_id, campaign_id hoặc class.",
    ),
    words(
        "lift_needs_one_or_two",
        "One person or two",
        "Số người không đúng",
        "Lệnh tạm dừng cần một hoặc hai người gỡ: 1 hoặc 2.",
    ),
    words(
        "ends_in_the_past",
        "Ends in the past",
        "Kết thúc trong quá khứ",
        "Thời điểm kết thúc phải ở tương lai.",
    ),
    words(
        "covers_nothing",
        "Covers nothing",
        "Không dừng được gì",
        "Với các ngoại lệ này thì lệnh tạm dừng không dừng bài nào.",
    ),
    words(
        "hold_unconfirmed",
        "Not confirmed yet",
        "Chưa được xác nhận",
        "Lệnh tạm dừng đã có hiệu lực, nhưng một máy chủ khác chưa xác nhận đã ngừng gửi; hãy hỏi lại \
         với cùng Idempotency-Key.",
    ),
    words(
        "recall_unconfirmed",
        "Not confirmed yet",
        "Chưa được xác nhận",
        "Một máy chủ khác chưa cho biết bài có được gửi hay không; hãy xem lại bài rồi thử lại.",
    ),
    words("hold_over", "The hold is over", "Đã hết hiệu lực", "Lệnh tạm dừng không còn hiệu lực."),
    words(
        "lift_needs_another",
        "Another person must",
        "Cần người thứ hai",
        "Bạn đã đồng ý gỡ rồi; cần thêm một người khác.",
    ),
    words(
        "not_in_review",
        "Not in review",
        "Không chờ xem xét",
        "Lượt đăng này không chờ xem xét; trạng thái hiện tại: {state}.",
    ),
    words(
        "hold_stands",
        "A hold still stands",
        "Vẫn đang tạm dừng",
        "Một lệnh tạm dừng vẫn còn hiệu lực; hãy gỡ trước, hoặc chọn thời điểm khác.",
    ),
    words(
        "act_takes_no_time",
        "Only reschedule takes a time",
        "Không dùng thời điểm",
        "Chỉ reschedule mới cần thời điểm.",
    ),
    words(
        "release_too_late",
        "Too late to be released",
        "Đã quá hạn đăng",
        "Đã qua thời điểm muộn nhất; hãy chọn thời điểm khác hoặc bỏ.",
    ),
    words(
        "release_does_not_fit",
        "Does not fit in",
        "Không kịp đăng",
        "Các lượt đăng thả trước đó trên cùng tài khoản đẩy lượt này quá thời điểm muộn nhất; hãy chọn \
         thời điểm khác hoặc bỏ.",
    ),
];
