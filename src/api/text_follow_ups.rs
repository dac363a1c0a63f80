//! Words for problems of webhooks.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "bad_address",
        "Not an address",
        "Địa chỉ không đúng",
        "Phải là địa chỉ như https://host/path, không kèm tên đăng nhập hay dấu #.",
    ),
    words(
        "address_not_public",
        "An address that may not be called",
        "Không được gọi địa chỉ này",
        "Phải dùng https và là địa chỉ công khai; máy trong mạng nội bộ phải có trong \
         outbound.trusted_hosts.",
    ),
];
