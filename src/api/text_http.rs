//! Words for problems that HTTP itself or the frame of every act can have.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "bad_json",
        "The body is not JSON",
        "Nội dung không phải JSON",
        "Không đọc được nội dung JSON: {reason}",
    ),
    words(
        "not_utf8",
        "The body is not UTF-8",
        "Nội dung không phải UTF-8",
        "Nội dung phải được mã hoá UTF-8.",
    ),
    words(
        "too_deep",
        "The body is nested too deeply",
        "Nội dung lồng quá sâu",
        "JSON không được lồng quá {max} tầng.",
    ),
    words(
        "duplicate_key",
        "A name is given twice",
        "Một tên bị lặp lại",
        "Tên {name} xuất hiện hai lần trong cùng một đối tượng.",
    ),
    words(
        "not_json",
        "The body must be JSON",
        "Nội dung phải là JSON",
        "Hãy gửi Content-Type: application/json, không nén.",
    ),
    words(
        "validation",
        "Something is wrong with what was sent",
        "Dữ liệu gửi lên chưa đúng",
        "Có {count} lỗi; xem danh sách errors.",
    ),
    words("unknown_field", "There is no such field", "Không có trường này", "Không có trường này."),
    words("missing", "A field is missing", "Thiếu trường", "Thiếu trường bắt buộc này."),
    words("wrong_type", "Wrong type", "Sai kiểu dữ liệu", "Giá trị sai kiểu hoặc sai dạng."),
    words(
        "bad_query",
        "The query cannot be read",
        "Không đọc được tham số truy vấn",
        "Tham số truy vấn sai: {reason}",
    ),
    words(
        "bad_cursor",
        "The cursor is none of this list",
        "Con trỏ trang không hợp lệ",
        "Con trỏ không thuộc danh sách này; hãy đọc lại từ đầu.",
    ),
    words(
        "bad_limit",
        "The limit is out of range",
        "Giới hạn không hợp lệ",
        "limit phải từ 1 đến {max}.",
    ),
    words(
        "bad_idempotency_key",
        "The Idempotency-Key cannot be used",
        "Idempotency-Key không hợp lệ",
        "Idempotency-Key phải có từ 1 đến 255 ký tự ASCII nhìn thấy được.",
    ),
    words(
        "bad_if_match",
        "The If-Match cannot be read",
        "Không đọc được If-Match",
        "If-Match phải là một ETag, ví dụ \"3\", hoặc *.",
    ),
    words(
        "unauthenticated",
        "Who are you?",
        "Chưa xác thực",
        "Hãy gửi Authorization: Bearer <token> với một token còn hiệu lực, hoặc đăng nhập.",
    ),
    words(
        "sign_in_refused",
        "Not signed in",
        "Chưa đăng nhập được",
        "Địa chỉ hoặc mật khẩu không đúng, hoặc người có địa chỉ này không được phép đăng nhập.",
    ),
    words(
        "sign_in_waits",
        "Too many wrong passwords",
        "Sai mật khẩu quá nhiều lần",
        "Mật khẩu đã sai nhiều lần liên tiếp; đề nghị thử lại sau {seconds} giây.",
    ),
    words(
        "proof_needed",
        "Your password again",
        "Cần nhập lại mật khẩu",
        "Việc này cần xác nhận lại bằng mật khẩu (POST /api/v1/sessions/current/proof), rồi thực hiện lại.",
    ),
    words(
        "unconfirmed",
        "Not confirmed by our own page",
        "Thiếu xác nhận từ trang của hệ thống",
        "Mọi thay đổi phải kèm X-CSRF-Token với giá trị csrf_token của GET /api/v1/sessions/current.",
    ),
    words(
        "link_void",
        "The link does not work any more",
        "Liên kết không còn hiệu lực",
        "Liên kết đã dùng rồi, đã hết hạn hoặc đã có liên kết mới hơn; đề nghị xin quản trị viên liên kết mới.",
    ),
    words(
        "link_beyond_own",
        "Not for oneself, and not with a small token",
        "Không tự tạo cho mình, không dùng token hạn chế",
        "Người đã có mật khẩu tự đổi bằng mật khẩu đó; token chỉ mang một số quyền thì không tạo được liên kết.",
    ),
    words(
        "who_chooses",
        "Who chooses a password?",
        "Chưa rõ ai đổi mật khẩu",
        "Hãy gửi key của liên kết, hoặc địa chỉ cùng mật khẩu hiện tại.",
    ),
    words(
        "password_weak",
        "Too easy to guess",
        "Mật khẩu dễ đoán",
        "Mật khẩu nằm trong số bị thử trước tiên, hoặc chỉ gồm từ, tên hay dãy phím như thế; bốn từ ngẫu \
         nhiên thì dễ nhớ và khó đoán.",
    ),
    words(
        "person_disabled",
        "He may not sign in",
        "Người này không được đăng nhập",
        "Người không được phép đăng nhập thì không cần mật khẩu; hãy cho phép trước.",
    ),
    words(
        "too_many_attempts",
        "Too many tokens that are not in force",
        "Quá nhiều token không hợp lệ",
        "Địa chỉ của quý vị đã gửi quá nhiều token không còn hiệu lực; đề nghị kiểm tra token và thử \
         lại sau {seconds} giây (token còn hiệu lực được chấp nhận ngay).",
    ),
    words(
        "scope_missing",
        "The token does not allow this",
        "Token không có quyền này",
        "Token không có quyền {scope}.",
    ),
    words(
        "needs_administrator",
        "Only an administrator may",
        "Chỉ quản trị viên được làm",
        "Chỉ quản trị viên được làm việc này.",
    ),
    words(
        "needs_role",
        "Your roles do not allow this",
        "Vai trò của bạn không cho phép",
        "Việc này cần một trong các vai trò {roles} tại đơn vị.",
    ),
    words(
        "token_limited",
        "The token is limited to some accounts",
        "Token chỉ dùng cho một số tài khoản",
        "Token chỉ dùng cho một số tài khoản, mà việc này liên quan đến cả tài khoản khác.",
    ),
    words(
        "not_found",
        "Not there",
        "Không tìm thấy",
        "Không có mục này, hoặc bạn không được biết về nó.",
    ),
    words(
        "method_not_allowed",
        "This address does not take this method",
        "Địa chỉ này không nhận phương thức này",
        "Xem các phương thức được nhận trong header Allow.",
    ),
    words(
        "conflict",
        "The state has moved",
        "Trạng thái đã thay đổi",
        "Một thay đổi khác vừa xảy ra; hãy xem lại rồi thử lại.",
    ),
    words(
        "stale",
        "Somebody changed it meanwhile",
        "Dữ liệu đã bị người khác sửa",
        "Phiên bản trong If-Match không còn là phiên bản hiện tại; hãy đọc lại rồi sửa.",
    ),
    words(
        "precondition_required",
        "If-Match is needed",
        "Cần có If-Match",
        "Hãy gửi ETag đã đọc trong If-Match để không ghi đè thay đổi của người khác.",
    ),
    words(
        "idempotency_mismatch",
        "The key was used for another request",
        "Khoá đã dùng cho yêu cầu khác",
        "Idempotency-Key này đã được dùng cho một yêu cầu khác; hãy dùng khoá mới.",
    ),
    words("too_large", "Too large", "Quá lớn", "Tối đa {max} byte."),
    words(
        "too_many_values",
        "Too many values",
        "Quá nhiều giá trị",
        "Một nội dung JSON có tối đa {max} giá trị; đề nghị gửi ít hơn trong mỗi lần.",
    ),
    words(
        "body_too_slow",
        "The body came too slowly",
        "Nội dung gửi quá chậm",
        "Chưa nhận đủ nội dung trong {seconds} giây; đề nghị kiểm tra đường truyền rồi gửi lại.",
    ),
    words(
        "uri_too_long",
        "The address is too long",
        "Địa chỉ quá dài",
        "Địa chỉ có tối đa {max} byte; đề nghị rút ngắn tham số truy vấn.",
    ),
    words(
        "headers_too_large",
        "Too many headers",
        "Phần đầu yêu cầu quá lớn",
        "Mỗi yêu cầu có tối đa {count} header, tổng cộng không quá {max} byte; đề nghị gửi ít hơn.",
    ),
    words(
        "too_many_connections",
        "Too many connections",
        "Quá nhiều kết nối",
        "Có quá nhiều kết nối từ địa chỉ của quý vị; đề nghị đóng bớt hoặc dùng lại kết nối đã mở.",
    ),
    words(
        "timeout",
        "It took too long",
        "Xử lý quá lâu",
        "Yêu cầu chưa xử lý xong trong thời hạn; hãy thử lại với cùng Idempotency-Key.",
    ),
    words(
        "disk_full",
        "The disk is full",
        "Ổ đĩa đã đầy",
        "Ổ đĩa của cơ sở dữ liệu không còn chỗ trống và chưa có gì thay đổi. Người vận hành hệ thống phải \
         giải phóng dung lượng; sau đó hãy thử lại với cùng Idempotency-Key.",
    ),
    words(
        "media_store_unavailable",
        "The store of files does not answer",
        "Kho lưu tệp tạm thời không hoạt động",
        "Kho lưu tệp hiện không thực hiện được yêu cầu và chưa có gì thay đổi; hãy thử lại với cùng \
         Idempotency-Key.",
    ),
    words("busy", "Busy", "Hệ thống đang bận", "Cơ sở dữ liệu đang bận; hãy thử lại sau."),
    words(
        "internal",
        "A fault of ours",
        "Lỗi của hệ thống",
        "Có lỗi ở phía chúng tôi và đã được ghi lại; khi báo lỗi hãy nêu mã instance.",
    ),
    words("http_error", "Not possible", "Không thực hiện được", "Yêu cầu không thực hiện được."),
];
