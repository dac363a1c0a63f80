//! Words for problems of embargoes.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "embargoed",
        "Under embargo",
        "Chưa được phép công bố",
        "Chỉ được đăng từ {until}: hãy chọn lúc đó hoặc muộn hơn.",
    ),
    words(
        "embargo_over",
        "The embargo would be over",
        "Thời hạn đã qua",
        "Thời hạn cấm công bố phải ở tương lai; muốn bỏ lệnh cấm thì xoá nó.",
    ),
    words(
        "embargo_long",
        "The embargo is too long",
        "Thời hạn quá dài",
        "Tối đa {max} ngày kể từ bây giờ.",
    ),
    words(
        "leaves_embargo",
        "It would leave an embargo",
        "Bài sẽ thoát khỏi lệnh cấm công bố",
        "Chiến dịch của bài cấm công bố đến {until}: hãy đặt cho bài một thời hạn riêng ít nhất cũng dài như vậy, hoặc bỏ lệnh cấm của \
         chiến dịch.",
    ),
];
