//! Words for problems of sign-ins that connect accounts.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "sign_in_not_configured",
        "The application is not configured",
        "Chưa cấu hình ứng dụng",
        "Chưa cấu hình thông tin ứng dụng cho nền tảng {value}; quản trị viên cần bổ sung.",
    ),
    words(
        "not_the_accounts",
        "Not what the account has",
        "Không khớp với tài khoản",
        "Tài khoản này có giá trị {own}; kết nối lại không thay đổi được.",
    ),
    words(
        "administrators_own",
        "The token or password of another administrator",
        "Token hoặc mật khẩu của quản trị viên khác",
        "Quản trị viên tự tạo token và liên kết mật khẩu của mình, hoặc tạo ngay trên máy chủ.",
    ),
    words(
        "not_yours",
        "Begun by somebody else",
        "Do người khác bắt đầu",
        "Chỉ người đã bắt đầu lượt đăng nhập mới được chọn tài khoản.",
    ),
    words(
        "connection_elsewhere",
        "The sign-in is at another stage",
        "Lượt đăng nhập ở bước khác",
        "Lượt đăng nhập đang ở trạng thái {stage}, chưa hoặc không còn làm được việc này.",
    ),
    words(
        "approval_needs_another",
        "Another administrator must",
        "Cần quản trị viên thứ hai",
        "Tài khoản chưa được nêu tên trước thì cần một quản trị viên khác phê duyệt.",
    ),
    words(
        "not_offered",
        "Not offered by the platform",
        "Nền tảng không cung cấp",
        "Nền tảng không cung cấp tài khoản {value} trong lượt đăng nhập này.",
    ),
    words(
        "cannot_publish_there",
        "Nothing can be published there",
        "Không đăng bài được ở đó",
        "Không kết nối được {value}: {reason}.",
    ),
    words(
        "too_many_accounts",
        "Too many accounts at once",
        "Quá nhiều tài khoản",
        "Mỗi lần kết nối tối đa {max} tài khoản.",
    ),
    words(
        "begun_by_nobody",
        "Whoever began it may not act any more",
        "Người bắt đầu không còn quyền",
        "Người đã bắt đầu lượt đăng nhập không còn quyền thao tác.",
    ),
    words(
        "account_removed",
        "The account has been removed",
        "Tài khoản đã bị gỡ",
        "Tài khoản cần kết nối lại đã bị gỡ khỏi hệ thống.",
    ),
];
