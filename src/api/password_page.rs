//! The page on which a person who was sent a link chooses his password. Nothing of the link reaches a log: its key
//! stands behind `#`, and goes to the API in a body.

use axum::Extension;
use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::Api;
use super::frame::ForPeople;
use super::problem::Problem;
use super::text::Tongue;
use crate::telemetry::Chain;

const SCRIPT: &str = include_str!("pages/password.js");

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:28rem;margin:12vh auto;\
    padding:0 1rem;color:#1b1b1b;background:#f6f6f4}h1{font-size:1.4rem}label{display:block;margin:1rem 0}\
    input,button{font:inherit;padding:.5rem;width:100%;box-sizing:border-box}button{margin-top:.5rem}\
    output{display:block;margin:1rem 0}.bad{color:#a00000}.good{color:#005a2b}";

/// The route. It is for browsers and no part of the API's document.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/password", get(page))
}

/// What the page says.
struct Says {
    title: &'static str,
    rule: &'static str,
    first: &'static str,
    second: &'static str,
    button: &'static str,
    differ: &'static str,
    done: &'static str,
    lost: &'static str,
    unreached: &'static str,
}

const ENGLISH: Says = Says {
    title: "Choose your password",
    rule: "At least 12 characters, and hard to guess: four words by chance do. Wherever you are signed in, you \
           sign in anew.",
    first: "New password",
    second: "The same again",
    button: "Keep it",
    differ: "The two are not the same.",
    done: "Your password is kept. You may close this window and sign in.",
    lost: "The link is not whole. Open it exactly as it was sent to you, or ask an administrator for a new one.",
    unreached: "The service could not be reached. Nothing was changed; try again.",
};

const VIETNAMESE: Says = Says {
    title: "Chọn mật khẩu",
    rule: "Ít nhất 12 ký tự và khó đoán: bốn từ ngẫu nhiên là đủ. Mọi nơi đang đăng nhập sẽ phải đăng nhập lại.",
    first: "Mật khẩu mới",
    second: "Nhập lại mật khẩu",
    button: "Lưu mật khẩu",
    differ: "Hai lần nhập không giống nhau.",
    done: "Đã lưu mật khẩu. Có thể đóng cửa sổ này và đăng nhập.",
    lost: "Liên kết không đầy đủ. Đề nghị mở đúng liên kết đã được gửi, hoặc xin quản trị viên liên kết mới.",
    unreached: "Không kết nối được với dịch vụ. Chưa có gì thay đổi; đề nghị thử lại.",
};

async fn page(headers: HeaderMap) -> Response {
    let tongue = Tongue::wanted(&headers);
    let says = match tongue {
        Tongue::En => ENGLISH,
        Tongue::Vi => VIETNAMESE,
    };
    let policy = match HeaderValue::from_str(&policy()) {
        Ok(policy) => policy,
        Err(error) => {
            tracing::error!(error = %Chain(&error), "a page has no policy");
            return Problem::internal().into_response();
        }
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_LANGUAGE, HeaderValue::from_static(tongue.tag())),
        (CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, Extension(ForPeople), body(&says, tongue)).into_response()
}

fn body(says: &Says, tongue: Tongue) -> String {
    let Says { title, rule, first, second, button, differ, done, lost, unreached } = says;
    let field = "<input type=\"password\" autocomplete=\"new-password\" minlength=\"12\" maxlength=\"256\" required>";
    format!(
        "<!DOCTYPE html><html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"referrer\" content=\"no-referrer\">\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>\
         <form data-differ=\"{differ}\" data-done=\"{done}\" data-lost=\"{lost}\" data-unreached=\"{unreached}\">\
         <p>{rule}</p><label>{first}{field}</label><label>{second}{field}</label><button>{button}</button></form>\
         <output role=\"status\"></output></main><script>{SCRIPT}</script></body></html>",
        tongue.tag()
    )
}

/// Nothing runs on the page but its own script, and it talks to nobody but us.
fn policy() -> String {
    let script = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_pages_hold_the_script_whose_hash_the_policy_names() {
        for (says, tongue) in [(&ENGLISH, Tongue::En), (&VIETNAMESE, Tongue::Vi)] {
            let body = body(says, tongue);
            let script = body.split("<script>").nth(1).unwrap().split("</script>").next().unwrap();
            let hash = STANDARD.encode(Sha256::digest(script));
            assert!(policy().contains(&format!("script-src 'sha256-{hash}'")));
            assert!(body.contains(says.title));
        }
    }
}
