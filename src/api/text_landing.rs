//! Words of the page on which a person lands after a sign-in at a platform.

use super::text::Tongue;
use crate::domain::connection::SignInProblem;
use crate::service::connections::Landing;

/// What a page says.
#[derive(Debug)]
pub(super) struct Page {
    /// Its heading.
    pub(super) title: String,
    /// What to do.
    pub(super) text: &'static str,
    /// Whether it went as it should.
    pub(super) good: bool,
}

/// The page for a landing.
pub(super) fn page(landing: &Landing, tongue: Tongue) -> Page {
    let pick = |en: &'static str, vi: &'static str| match tongue {
        Tongue::En => en,
        Tongue::Vi => vi,
    };
    let (title, text, good) = match landing {
        Landing::Done(name) => {
            let title = format!("{}: {name}", pick("Connected", "Đã kết nối"));
            let text = pick(
                "The account is connected. You may close this window.",
                "Tài khoản đã được kết nối. Có thể đóng cửa sổ này.",
            );
            return Page { title, text, good: true };
        }
        Landing::Choose => (
            pick("Signed in", "Đã đăng nhập"),
            pick(
                "Go back to the desk and choose which accounts are to be connected, within an hour.",
                "Đề nghị trở lại bàn làm việc và chọn tài khoản cần kết nối, trong vòng một giờ.",
            ),
            true,
        ),
        Landing::Nothing(problem) => {
            let (title, text) = nothing(*problem, tongue);
            (title, text, *problem == SignInProblem::AccessDenied)
        }
        Landing::Stale => (
            pick("This sign-in is not open", "Lượt đăng nhập không còn hiệu lực"),
            pick(
                "It was used already, has ended, or was never begun. Nothing was changed. Begin again in \
                 the desk.",
                "Lượt này đã dùng rồi, đã hết hạn hoặc chưa từng được mở. Không có gì thay đổi. Đề nghị \
                 bắt đầu lại từ bàn làm việc.",
            ),
            false,
        ),
    };
    Page { title: title.to_owned(), text, good }
}

/// Heading and text for each reason, in both languages.
type Row = (SignInProblem, [&'static str; 2], [&'static str; 2]);

const NOTHING: &[Row] = &[
    (
        SignInProblem::AccessDenied,
        [
            "Not connected: access was refused",
            "You refused, or the application is still in development and you have no role in it: the \
                 platform answers both alike. Nothing was changed.",
        ],
        [
            "Chưa kết nối: quyền truy cập bị từ chối",
            "Có thể bạn đã từ chối, hoặc ứng dụng còn ở chế độ phát triển và bạn chưa có vai trò trong \
                 đó: nền tảng trả lời như nhau. Không có gì thay đổi.",
        ],
    ),
    (
        SignInProblem::ExchangeRefused,
        [
            "Not connected: the platform refused",
            "The platform did not take what it had sent here. Begin again in the desk; if that happens \
                 twice, an administrator should check the application's secret and redirect address.",
        ],
        [
            "Chưa kết nối: nền tảng từ chối",
            "Nền tảng không chấp nhận mã vừa gửi. Đề nghị bắt đầu lại từ bàn làm việc; nếu lặp lại, quản \
                 trị viên cần kiểm tra khoá bí mật và địa chỉ chuyển hướng của ứng dụng.",
        ],
    ),
    (
        SignInProblem::Unreachable,
        [
            "Not connected: the platform could not be asked",
            "Nothing was changed. Begin again in the desk a little later.",
        ],
        [
            "Chưa kết nối: không hỏi được nền tảng",
            "Không có gì thay đổi. Đề nghị bắt đầu lại sau ít phút.",
        ],
    ),
    (
        SignInProblem::ScopesMissing,
        [
            "Not connected: rights are missing",
            "Without them nothing can be published. The desk shows which; begin again and leave them \
                 ticked.",
        ],
        [
            "Chưa kết nối: còn thiếu quyền",
            "Thiếu các quyền này thì không đăng bài được. Bàn làm việc cho biết thiếu quyền nào; đề nghị \
                 bắt đầu lại và giữ nguyên các ô đã chọn.",
        ],
    ),
    (
        SignInProblem::NoAccounts,
        [
            "Not connected: no account to publish on",
            "Whoever signed in may not publish on the account, or on none at all. Ask its owner for the \
                 right to create content.",
        ],
        [
            "Chưa kết nối: không có tài khoản đăng được bài",
            "Người vừa đăng nhập chưa có quyền đăng bài trên tài khoản này hoặc bất kỳ tài khoản nào. Đề \
                 nghị chủ tài khoản cấp quyền tạo nội dung.",
        ],
    ),
    (
        SignInProblem::OtherAccount,
        [
            "Not connected: another account",
            "You signed in with another account than the one that is to be connected. Nothing was \
                 changed. Sign out at the platform and begin again in the desk.",
        ],
        [
            "Chưa kết nối: sai tài khoản",
            "Tài khoản vừa đăng nhập không phải tài khoản cần kết nối. Không có gì thay đổi. Đề nghị đăng \
                 xuất khỏi nền tảng rồi bắt đầu lại từ bàn làm việc.",
        ],
    ),
];

fn nothing(problem: SignInProblem, tongue: Tongue) -> (&'static str, &'static str) {
    let row = NOTHING.iter().find(|(one, _, _)| *one == problem);
    let words = row.map(|(_, en, vi)| match tongue {
        Tongue::En => en,
        Tongue::Vi => vi,
    });
    words.map_or(("", ""), |[title, text]| (title, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_in_both_languages() {
        for problem in SignInProblem::ALL {
            for tongue in [Tongue::En, Tongue::Vi] {
                let (title, text) = nothing(*problem, tongue);
                assert!(!title.is_empty() && !text.is_empty(), "{problem}");
            }
            assert_ne!(nothing(*problem, Tongue::En), nothing(*problem, Tongue::Vi));
        }
    }
}
