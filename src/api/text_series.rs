//! Words for problems of series.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "cron_fields",
        "Not five fields",
        "Không đủ hoặc thừa trường",
        "Cần đúng năm trường: phút, giờ, ngày, tháng, thứ, ví dụ “30 8 * * 1-5”; ở đây có {count}. Không có giây và năm.",
    ),
    words(
        "cron_field",
        "A field cannot be read",
        "Có trường không đọc được",
        "Trường {field} không hiểu được {value}: hãy viết *, số từ {min} đến {max}, danh sách như 1,3, khoảng như 1-5, \
         bước như */2 hoặc 1-9/2; không dùng L, W, # và ?.",
    ),
    words(
        "cron_unreadable",
        "Not a cron expression",
        "Không phải biểu thức cron",
        "Không hiểu được {value}.",
    ),
    words(
        "cron_too_often",
        "More often than once an hour",
        "Dày hơn mỗi giờ một lần",
        "Lịch này đăng dày hơn mỗi giờ một lần, các nền tảng coi đó là thư rác: hãy chỉ ghi một phút, ví dụ 0 trong “0 9 * * *”.",
    ),
    words(
        "never_fires",
        "It would never go out",
        "Không có lần đăng nào",
        "Trong mười năm tới không có ngày nào khớp: hãy xem lại ngày, tháng, from, until và except.",
    ),
    words(
        "whose_zone",
        "Whose zone is meant",
        "Không rõ múi giờ của ai",
        "Hãy ghi các tài khoản của bạn trong account_ids: account nghĩa là múi giờ của từng tài khoản.",
    ),
    words(
        "series_post_gone",
        "The post was removed",
        "Bài của loạt đã bị xoá",
        "Bài của loạt định kỳ này đã bị xoá: hãy kết thúc loạt.",
    ),
    words(
        "series_account_gone",
        "An account is not there any more",
        "Tài khoản không còn",
        "Không còn tài khoản {value}, hoặc múi giờ của tài khoản không còn tồn tại: hãy bỏ tài khoản khỏi loạt.",
    ),
    words(
        "series_unvouched",
        "Nobody answers for the series",
        "Không còn ai chịu trách nhiệm",
        "Người chịu trách nhiệm loạt này không còn quyền lên lịch ở đó: người có quyền hãy sửa loạt để nhận lại.",
    ),
    words(
        "series_unapproved",
        "The post is not approved",
        "Bài chưa được duyệt",
        "Loạt chưa đăng gì cho đến khi bài được duyệt.",
    ),
    words(
        "repeats_refused",
        "The platform refuses repetitions",
        "Nền tảng không nhận bài lặp",
        "{platform} từ chối nội dung đã đăng trước đó, có thể trong nhiều tháng: hãy viết nhiều bài, hoặc chọn tài khoản khác.",
    ),
];
