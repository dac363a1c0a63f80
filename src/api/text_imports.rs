//! Words for problems of imports.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "not_a_table",
        "Not a table",
        "Không phải bảng",
        "Hãy gửi tệp CSV mã hoá UTF-8 hoặc tệp XLSX; tệp Excel đời cũ hoặc có mật khẩu cần được lưu lại.",
    ),
    words(
        "table_broken",
        "The table cannot be read",
        "Không đọc được bảng",
        "Tệp XLSX thiếu hoặc hỏng: hãy lưu lại rồi gửi tệp mới.",
    ),
    words(
        "too_many_faults",
        "Too many faults",
        "Quá nhiều lỗi",
        "Có hơn {max} lỗi: hãy sửa các lỗi này trước; phần còn lại chưa được kiểm tra.",
    ),
    words(
        "quote_not_closed",
        "A quotation mark is not closed",
        "Dấu ngoặc kép chưa đóng",
        "Một ô mở dấu ngoặc kép mà không đóng: hãy kiểm tra các ô có dấu ngoặc kép.",
    ),
    words("too_many_rows", "Too many rows", "Quá nhiều dòng", "Mỗi lần tối đa {max} dòng."),
    words("table_empty", "The table is empty", "Bảng trống", "Bảng không có dòng tiêu đề cột."),
    words(
        "formula_refused",
        "A formula",
        "Ô chứa công thức",
        "Công thức không được tính ở đây: hãy dán giá trị thay cho công thức.",
    ),
    words(
        "column_without_heading",
        "A column without a heading",
        "Cột không có tiêu đề",
        "Có nội dung ở cột {column}, nhưng cột này không có tiêu đề.",
    ),
    words(
        "unknown_column",
        "An unknown column",
        "Cột không xác định",
        "Không có cột {value}; các cột gồm: {known}.",
    ),
    words("missing_column", "A column is missing", "Thiếu cột", "Thiếu cột {value}."),
    words(
        "unknown_word",
        "An unknown word",
        "Từ không xác định",
        "{value} không thuộc các từ sau: {known}.",
    ),
    words(
        "rows_disagree",
        "Rows of one post disagree",
        "Các dòng của một bài khác nhau",
        "Một dòng trước có cùng mã bài ghi khác: hãy để trống ở đây, hoặc ghi giống dòng đó.",
    ),
    words(
        "import_time_missing",
        "Accounts without a time",
        "Thiếu thời điểm",
        "Hãy ghi thời điểm đăng lên các tài khoản này.",
    ),
    words(
        "import_account_missing",
        "A time without accounts",
        "Thiếu tài khoản",
        "Hãy ghi các tài khoản sẽ đăng vào thời điểm này.",
    ),
    words(
        "account_ambiguous",
        "Several accounts have this name",
        "Nhiều tài khoản trùng tên",
        "Có nhiều tài khoản tên {value}: {ids}.",
    ),
    words(
        "bad_moment",
        "Not a day with a time",
        "Thời điểm không đúng",
        "Hãy ghi cả ngày và giờ, ví dụ 2026-09-02 09:00 hoặc 02/09/2026 09:00 (ngày trước tháng).",
    ),
    words(
        "bad_day",
        "Not a day",
        "Ngày không đúng",
        "Hãy ghi ngày, ví dụ 2026-09-02 hoặc 02/09/2026 (ngày trước tháng), kèm giờ nếu có.",
    ),
    words(
        "ends_differ",
        "A day and a time",
        "Hai đầu không cùng dạng",
        "Hãy ghi giờ ở cả hai đầu, hoặc không ghi giờ ở đầu nào.",
    ),
];
