//! Words for problems of rules, and for what they have against a delivery.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "rule_mourning",
        "Days of mourning",
        "Ngày tang",
        "Quy tắc “{rule_vi}”: {local} ({zone}) rơi vào ngày tang. Hãy chọn giờ khác ({instead}).",
    ),
    words(
        "rule_election_silence",
        "Silence before an election",
        "Thời gian im lặng trước bầu cử",
        "Quy tắc “{rule_vi}”: {local} ({zone}) rơi vào thời gian im lặng trước bầu cử. Hãy chọn giờ khác ({instead}).",
    ),
    words(
        "rule_spacing",
        "Too near to another delivery",
        "Quá gần một lần đăng khác",
        "Quy tắc “{rule_vi}”: {local} ({zone}) quá gần một lần đăng khác của cùng tài khoản. Hãy chọn giờ khác ({instead}).",
    ),
    words(
        "rule_quiet_hours",
        "Quiet hours",
        "Giờ yên tĩnh",
        "Quy tắc “{rule_vi}”: {local} ({zone}) rơi vào giờ yên tĩnh. Hãy chọn giờ khác ({instead}).",
    ),
    words(
        "rule_weekend",
        "Weekend",
        "Ngày nghỉ cuối tuần",
        "Quy tắc “{rule_vi}”: {local} ({zone}) rơi vào ngày nghỉ cuối tuần. Hãy chọn giờ khác ({instead}).",
    ),
    words(
        "rule_overridden",
        "A rule is overridden",
        "Bỏ qua một quy tắc",
        "Quy tắc “{rule_vi}” chặn lúc {local} ({zone}) nhưng được bỏ qua theo lý do đã ghi; nhật ký lưu lại điều đó.",
    ),
    words(
        "blocked_by_rule",
        "A rule blocks it",
        "Bị quy tắc chặn",
        "{count} lần đăng bị quy tắc chặn; trước hết “{rule_vi}”, lúc {local} ({zone}). Hãy chọn giờ khác ({instead}), hoặc nhờ quản trị \
         viên của đơn vị đặt quy tắc cho qua kèm lý do (override).",
    ),
    words(
        "rule_names_many",
        "Too many names",
        "Quá nhiều tên",
        "Tối đa {max}; để trống nghĩa là tất cả.",
    ),
    words(
        "rule_covers_nothing",
        "It would catch nothing",
        "Quy tắc không áp dụng cho gì",
        "Sau khi trừ except_classes không còn loại nào trong classes: hãy bớt except_classes.",
    ),
    words(
        "rule_ends_first",
        "It ends before it begins",
        "Kết thúc trước khi bắt đầu",
        "Quy tắc không thể kết thúc trước khi bắt đầu.",
    ),
    words(
        "rule_too_long",
        "The rule is too long",
        "Quy tắc quá dài",
        "Tối đa {max} ngày; hãy tạo nhiều quy tắc.",
    ),
    words(
        "rule_minutes",
        "Too few or too many minutes",
        "Số phút không đúng",
        "Phải từ {min} đến {max} phút.",
    ),
    words(
        "quiet_all_day",
        "Quiet all day",
        "Yên tĩnh cả ngày",
        "Giờ bắt đầu và giờ kết thúc trùng nhau: hãy ghi hai giờ khác nhau, ví dụ 22:00 và 07:00.",
    ),
    words(
        "weekend_all_week",
        "A weekend of all days",
        "Nghỉ cả tuần",
        "Tối đa sáu ngày: nghỉ cả tuần thì không còn ngày nào để đăng.",
    ),
    words(
        "too_many_rules",
        "Too many rules",
        "Quá nhiều quy tắc",
        "Đơn vị đã có {max} quy tắc; hãy xoá quy tắc đã hết tác dụng trước.",
    ),
];
