//! Words for problems of translations.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "source_not_translated",
        "This is the source",
        "Đây là bản gốc",
        "Bản gốc do người viết ra, không phải bản dịch từ ngôn ngữ khác.",
    ),
    words(
        "source_not_proofed",
        "The source is not proofed",
        "Bản gốc chưa được hiệu đính",
        "Bản chưa được hiệu đính không thể làm bản gốc cho các bản khác.",
    ),
    words(
        "source_changed",
        "The source has changed since",
        "Bản gốc đã thay đổi",
        "Bản gốc hiện ở phiên bản {revision}: hãy đối chiếu với bản đó rồi gửi số của nó.",
    ),
    words(
        "variant_stale",
        "The source has changed since it was translated",
        "Bản dịch đã lỗi thời so với bản gốc",
        "Bản gốc đã thay đổi sau khi dịch ({languages}): hãy sửa bản dịch, hoặc xác nhận bản dịch vẫn đúng.",
    ),
    words(
        "variant_not_proofed",
        "The translation is not proofed",
        "Bản dịch chưa được hiệu đính",
        "Bản {language} đang ở trạng thái {status}: chỉ đăng được sau khi có người hiệu đính xong.",
    ),
    words(
        "language_not_ready",
        "Not ready in any of these languages",
        "Chưa có bản ngôn ngữ nào sẵn sàng",
        "Các bản {languages} và bản tiếng Anh đều chưa sẵn sàng.",
    ),
    words(
        "language_fallen_back",
        "It goes out in another language",
        "Đăng bằng ngôn ngữ khác",
        "Lượt đăng dùng bản {language} vì bản {wanted} chưa sẵn sàng.",
    ),
    words(
        "term_missing",
        "The official name is not there",
        "Thiếu tên gọi chính thức",
        "Bản gốc có “{said}”: bản {language} phải dùng “{name}”.",
    ),
    words(
        "term_forbidden",
        "It is not called that",
        "Không được gọi như vậy",
        "Không dùng “{said}”: tên gọi chính thức trong bản {language} là “{name}”.",
    ),
    words(
        "term_language_twice",
        "Two names in one language",
        "Hai tên trong cùng một ngôn ngữ",
        "Ngôn ngữ {language} đã có tên; các cách gọi khác ghi vào also.",
    ),
    words(
        "term_said_twice",
        "It stands there already",
        "Tên bị lặp lại",
        "{value} đã có ở đây; tên chính thức không thể bị cấm dùng.",
    ),
    words(
        "term_base_full",
        "The term base is full",
        "Danh mục thuật ngữ đã đầy",
        "Mỗi đơn vị có tối đa {max} mục; hãy xoá bớt hoặc đưa vào đơn vị cấp trên.",
    ),
    words(
        "status_not_next",
        "It does not go on to this",
        "Không chuyển được sang bước này",
        "Bản đang ở trạng thái {from} không chuyển được sang {to}.",
    ),
    words(
        "own_translation",
        "Nobody proofs his own translation",
        "Không tự hiệu đính bản dịch của mình",
        "Người đã dịch không được hiệu đính bản dịch đó; cần một người khác.",
    ),
];
