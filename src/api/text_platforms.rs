//! Words for what a platform's rules find in a text, a link or a picture, and for people's entries.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "text_empty",
        "Nothing to publish",
        "Không có nội dung",
        "Bản {language}: bài đăng phải có văn bản, liên kết hoặc ảnh.",
    ),
    words(
        "text_too_long",
        "Too long for the platform",
        "Văn bản quá dài so với nền tảng",
        "Bản {language}: văn bản được tính là {count} ký tự, nền tảng nhận tối đa {max}; đề nghị rút gọn.",
    ),
    words(
        "text_near_limit",
        "Near the platform's limit",
        "Văn bản gần chạm giới hạn",
        "Bản {language}: văn bản được tính là {count} trên {max} ký tự; nền tảng có thể tính liên kết \
         theo cách khác.",
    ),
    words(
        "text_direction_unbalanced",
        "A mark of direction is not ended",
        "Ký tự đổi hướng viết chưa được đóng",
        "Bản {language}: một ký tự đổi hướng viết không được kết thúc đúng chỗ; đề nghị xoá hoặc gõ lại \
         đoạn đó.",
    ),
    words(
        "cashtags_too_many",
        "Too many cashtags",
        "Quá nhiều mã chứng khoán",
        "Bản {language}: văn bản có {count} mã dạng $ABC; nền tảng không nhận nhiều như vậy.",
    ),
    words(
        "link_too_long",
        "The link is too long",
        "Liên kết quá dài",
        "Bản {language}: liên kết có tối đa {max} byte.",
    ),
    words(
        "link_invalid",
        "Not a whole address",
        "Liên kết chưa đầy đủ",
        "Bản {language}: liên kết phải là địa chỉ đầy đủ, bắt đầu bằng https:// hoặc http://.",
    ),
    words(
        "link_with_credentials",
        "A link with a name or a password",
        "Liên kết chứa tên đăng nhập",
        "Bản {language}: liên kết không được chứa tên đăng nhập hoặc mật khẩu.",
    ),
    words(
        "media_too_many",
        "Too many pictures",
        "Quá nhiều ảnh",
        "Bản {language}: có {count} ảnh, nền tảng nhận tối đa {max}.",
    ),
    words(
        "media_type",
        "A kind of picture that the platform does not take",
        "Nền tảng không nhận loại ảnh này",
        "Bản {language}: nền tảng không nhận tệp {mime}; các loại được nhận: {accepted}.",
    ),
    words(
        "media_too_large",
        "The picture is too large",
        "Ảnh quá lớn",
        "Bản {language}: tệp có {count} byte, nền tảng nhận tối đa {max}.",
    ),
    words(
        "alt_missing",
        "No alternative text",
        "Thiếu mô tả ảnh",
        "Bản {language}: thiếu mô tả ảnh; người khiếm thị sẽ không biết ảnh thể hiện điều gì.",
    ),
    words(
        "alt_too_long",
        "The alternative text is too long",
        "Mô tả ảnh quá dài",
        "Bản {language}: mô tả ảnh có {count} ký tự, nền tảng nhận tối đa {max}.",
    ),
    words(
        "alt_control_character",
        "A control character in the alternative text",
        "Ký tự điều khiển trong mô tả ảnh",
        "Bản {language}: mô tả ảnh có ký tự điều khiển không được phép.",
    ),
    words(
        "email",
        "Not an address of mail",
        "Địa chỉ thư điện tử chưa đúng",
        "Đề nghị nhập địa chỉ thư điện tử đầy đủ, ví dụ an.nguyen@mofa.example.",
    ),
    words(
        "password_short",
        "The password is too short",
        "Mật khẩu quá ngắn",
        "Mật khẩu phải có ít nhất {min} ký tự.",
    ),
];
