//! Words for problems of units, accounts, media and tokens.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words("blank", "Empty", "Để trống", "Không được để trống."),
    words("too_long", "Too long", "Quá dài", "Tối đa {max} ký tự."),
    words(
        "control_character",
        "Control characters",
        "Ký tự điều khiển",
        "Phải là một dòng, không có ký tự điều khiển.",
    ),
    words(
        "unknown_time_zone",
        "Unknown time zone",
        "Múi giờ không có",
        "{value} không phải múi giờ IANA, ví dụ Asia/Ho_Chi_Minh.",
    ),
    words(
        "bad_country",
        "Not a country code",
        "Mã nước không đúng",
        "Mã nước theo ISO 3166: hai chữ in hoa, ví dụ VN.",
    ),
    words(
        "language_count",
        "Too few or too many languages",
        "Số ngôn ngữ không đúng",
        "Phải có từ 1 đến {max} ngôn ngữ.",
    ),
    words(
        "bad_language",
        "Not a language tag",
        "Mã ngôn ngữ không đúng",
        "{value} không phải mã ngôn ngữ chuẩn, ví dụ vi hoặc zh-Hans.",
    ),
    words("repeated", "Named twice", "Bị lặp", "{value} xuất hiện hai lần."),
    words(
        "date_out_of_range",
        "A date outside all reason",
        "Ngày không hợp lý",
        "Năm phải từ {first} đến {last}.",
    ),
    words(
        "closes_before_it_opens",
        "Closes before it opens",
        "Đóng trước khi mở",
        "Đơn vị không thể đóng trước ngày mở.",
    ),
    words(
        "unknown_reference",
        "There is no such thing",
        "Tham chiếu không tồn tại",
        "Không có {value}.",
    ),
    words("cycle", "Below itself", "Vòng lặp", "Một đơn vị không thể nằm dưới chính nó."),
    words(
        "unit_closed",
        "The unit has closed",
        "Đơn vị đã đóng",
        "Đơn vị đã đóng nên không nhận thêm tài khoản hay bài viết.",
    ),
    words(
        "bad_remote_id",
        "Not an id of the platform",
        "Mã tài khoản không đúng",
        "Mã của tài khoản trên nền tảng: tối đa 100 chữ, số, _ - .",
    ),
    words(
        "unknown_platform",
        "Unknown platform",
        "Không có nền tảng này",
        "Không có nền tảng {value}; xem GET /api/v1/platforms.",
    ),
    words(
        "owner_mismatch",
        "The credential belongs to another account",
        "Thông tin xác thực của tài khoản khác",
        "Token thuộc về tài khoản {owner}, không phải {expected}.",
    ),
    words(
        "credential_refused",
        "The platform refuses the credential",
        "Nền tảng từ chối thông tin xác thực",
        "Nền tảng từ chối token: {reason}",
    ),
    words(
        "platform_unreachable",
        "The platform could not be asked",
        "Không hỏi được nền tảng",
        "Không kết nối được nền tảng nên chưa thay đổi gì; hãy thử lại sau.",
    ),
    words(
        "account_exists",
        "The account is already entered",
        "Tài khoản đã có",
        "Tài khoản này trên nền tảng đã được khai báo.",
    ),
    words(
        "account_in_use",
        "Deliveries wait for the account",
        "Còn bài đang chờ gửi",
        "Còn {count} bài chưa gửi xong qua tài khoản này; hãy huỷ hoặc chờ.",
    ),
    words(
        "status_not_allowed",
        "Not a state that people set",
        "Trạng thái không được đặt",
        "Chỉ có thể đặt paused hoặc connected; các trạng thái khác do kiểm tra mà có.",
    ),
    words(
        "bad_expiry",
        "An end that cannot be",
        "Thời hạn không hợp lệ",
        "Thời hạn phải ở tương lai và không quá {max} ngày.",
    ),
    words(
        "unknown_scope",
        "Unknown scope",
        "Không có quyền này",
        "Không có quyền mang tên này; xem tài liệu API.",
    ),
    words(
        "scope_beyond_own",
        "More than one has oneself",
        "Vượt quyền của mình",
        "Không thể cấp nhiều quyền hơn token đang dùng.",
    ),
    words("empty_file", "An empty file", "Tệp rỗng", "Tệp rỗng."),
    words(
        "unsupported_media",
        "A kind of file that is not taken",
        "Loại tệp không được nhận",
        "Chỉ nhận ảnh JPEG, PNG, WebP và GIF.",
    ),
    words(
        "media_type_mismatch",
        "The file is not what it says it is",
        "Tệp không đúng loại đã khai",
        "Tệp được khai là {declared} nhưng thực ra là {found}.",
    ),
    words(
        "media_damaged",
        "The picture cannot be read to its end",
        "Ảnh bị hỏng",
        "Không đọc được hết ảnh; tệp bị cắt hoặc hỏng.",
    ),
    words(
        "too_many_pixels",
        "Too many pixels",
        "Quá nhiều điểm ảnh",
        "Ảnh có tối đa {max} điểm ảnh.",
    ),
    words(
        "bad_upload",
        "The upload broke off",
        "Tải lên bị gián đoạn",
        "Không nhận được trọn tệp; hãy gửi lại.",
    ),
    words(
        "bad_multipart",
        "The form cannot be read",
        "Không đọc được biểu mẫu",
        "Biểu mẫu phải có đúng một tệp trong trường file.",
    ),
];
