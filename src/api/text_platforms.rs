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
        "text_too_many_bytes",
        "Too many bytes for the platform",
        "Văn bản có quá nhiều byte",
        "Bản {language}: văn bản có {count} byte, nền tảng nhận tối đa {max}; đề nghị rút gọn.",
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
        "text_hidden_character",
        "A character that readers do not see",
        "Ký tự ẩn",
        "Bản {language}: ký tự {code_point} xuất hiện {count} lần, lần đầu ở vị trí {at}; người đọc không \
         nhìn thấy và có thể bị đánh lừa: đề nghị xoá.",
    ),
    words(
        "text_odd_character",
        "An odd character",
        "Ký tự lạ",
        "Bản {language}: ký tự lạ {code_point} xuất hiện {count} lần, lần đầu ở vị trí {at}; đề nghị kiểm \
         tra.",
    ),
    words(
        "text_mixed_scripts",
        "Letters of several scripts in one word",
        "Một từ lẫn chữ cái của nhiều hệ chữ",
        "Bản {language}: từ “{word}” lẫn các chữ cái trông giống nhau của nhiều hệ chữ; đề nghị gõ lại.",
    ),
    words(
        "text_drawn_letters",
        "Letters drawn by symbols",
        "Chữ cái vẽ bằng ký hiệu",
        "Bản {language}: có chữ cái được vẽ bằng ký hiệu toán học; phần mềm đọc màn hình không đọc được.",
    ),
    words(
        "link_disguised",
        "An address that looks like another",
        "Địa chỉ giả dạng địa chỉ khác",
        "Bản {language}: địa chỉ {host} dùng các chữ cái trông giống chữ khác; đề nghị gõ lại bằng chữ cái \
         La-tinh.",
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
        "comment_not_possible",
        "No first comment on this platform",
        "Nền tảng không có bình luận đầu tiên",
        "Bản {language}: không đăng được bình luận đầu tiên trên nền tảng này; hãy đưa vào văn bản.",
    ),
    words(
        "thread_not_possible",
        "No threads on this platform",
        "Nền tảng không có chuỗi bài",
        "Bản {language}: nền tảng này không có chuỗi bài; đề nghị viết thành một bài hoặc dùng bản riêng.",
    ),
    words(
        "thread_too_long",
        "Too many parts",
        "Chuỗi bài quá dài",
        "Bản {language}: có {count} phần sau phần đầu, tối đa là {max}.",
    ),
    words(
        "media_too_many",
        "Too many pictures",
        "Quá nhiều ảnh",
        "Bản {language}: có {count} ảnh, nền tảng nhận tối đa {max}.",
    ),
    words(
        "media_kind",
        "A kind of file that cannot be published there",
        "Chưa đăng được loại tệp này trên nền tảng",
        "Bản {language}: tệp thuộc loại {kind}, chưa đăng được trên nền tảng này; các loại đăng được: {accepted}.",
    ),
    words(
        "media_mixed",
        "A video or an animation stands alone",
        "Video hoặc ảnh động phải đứng một mình",
        "Bản {language}: bài có video hoặc ảnh động thì không kèm được tệp nào khác.",
    ),
    words(
        "moving_type",
        "A type of video or animation that is not taken",
        "Định dạng video hoặc ảnh động không được nhận",
        "Bản {language}: nền tảng không nhận định dạng {value}; các định dạng được nhận: {accepted}.",
    ),
    words(
        "moving_too_large",
        "The video or animation is too large",
        "Tệp video hoặc ảnh động quá lớn",
        "Bản {language}: tệp có {count} MB, nền tảng nhận tối đa {max} MB.",
    ),
    words(
        "moving_too_long",
        "The video is too long",
        "Video quá dài",
        "Bản {language}: video dài {count} giây, nền tảng nhận tối đa {max} giây.",
    ),
    words(
        "moving_too_short",
        "The video is too short",
        "Video quá ngắn",
        "Bản {language}: video dài {count} mili giây, nền tảng cần ít nhất {min} mili giây.",
    ),
    words(
        "moving_shape",
        "The video or animation has a shape that is not taken",
        "Khuôn hình không được nhận",
        "Bản {language}: khuôn hình {width} × {height} điểm ảnh không được nền tảng nhận.",
    ),
    words(
        "reel_without_video",
        "A reel is a video",
        "Thước phim ngắn (reel) phải có video",
        "Bản {language}: đã chọn đăng dưới dạng thước phim ngắn (reel) nhưng bài không có video.",
    ),
    words(
        "poll_with_media",
        "A poll stands without pictures",
        "Bình chọn không kèm được ảnh hoặc video",
        "Bản {language}: bài có bình chọn thì không kèm được ảnh hoặc video.",
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
