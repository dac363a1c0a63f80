//! What the browser of somebody who is signed in sends: the key in a cookie, and with every change the word
//! that confirms that one of our own pages has made it.

use cookie::{Cookie, SameSite};
use http::header::COOKIE;
use http::{HeaderMap, Method};

use crate::config::Config;
use crate::domain::session::Key;

/// What confirms a change.
const CONFIRMATION: &str = "x-csrf-token";

/// The name. With the prefix a browser takes it only over TLS, from this very host, for all of it.
fn name(config: &Config) -> &'static str {
    if is_secure(config) { "__Host-chancery" } else { "chancery" }
}

fn is_secure(config: &Config) -> bool {
    config.server.public_url.scheme() == "https"
}

/// The header that hands a key to a browser, until it is closed.
pub fn set(config: &Config, key: &Key) -> String {
    written(config, key.reveal().to_owned()).to_string()
}

/// The header that takes it away.
pub fn clear(config: &Config) -> String {
    let mut cookie = written(config, String::new());
    cookie.make_removal();
    cookie.to_string()
}

fn written(config: &Config, value: String) -> Cookie<'static> {
    Cookie::build((name(config), value))
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(is_secure(config))
        .path("/")
        .build()
}

/// The key that a browser sends.
pub fn key(config: &Config, headers: &HeaderMap) -> Option<Key> {
    let name = name(config);
    let sent = headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
    let mut cookies = sent.flat_map(|it| Cookie::split_parse(it).flatten());
    Key::parse(cookies.find(|it| it.name() == name)?.value())
}

/// Whether a request changes nothing, or was made by a page of ours.
pub(super) fn is_ours(key: &Key, method: &Method, headers: &HeaderMap) -> bool {
    let changes_nothing = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    let given = headers.get(CONFIRMATION).and_then(|it| it.to_str().ok());
    changes_nothing || given.is_some_and(|it| key.is_confirmed_by(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        let variables = [("CHANCERY_SERVER__PUBLIC_URL".to_owned(), url.to_owned())];
        Config::load(None, variables.into_iter()).unwrap()
    }

    fn sent(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, text.parse().unwrap())])
    }

    #[test]
    fn a_key_goes_and_comes_back_in_a_cookie_that_no_script_and_no_other_site_gets() {
        let key = Key::mint([7; 32]);
        let secure = config("https://desk.mofa.example");
        let header = set(&secure, &key);
        for part in
            ["__Host-chancery=07", "; HttpOnly", "; SameSite=Strict", "; Secure", "; Path=/"]
        {
            assert!(header.contains(part), "{header}");
        }
        assert!(!header.contains("Domain") && !header.contains("Max-Age"), "{header}");
        let value = format!("a=b; {}; c", header.split(';').next().unwrap());
        assert_eq!(super::key(&secure, &sent(&value)).unwrap().hash(), key.hash());
        assert!(super::key(&secure, &sent(&value.replace("__Host-", ""))).is_none());
        let plain = config("http://127.0.0.1:8080");
        assert!(!set(&plain, &key).contains("Secure"));
        assert!(clear(&plain).contains("Max-Age=0"));
    }

    #[test]
    fn a_change_must_be_confirmed() {
        let (key, other) = (Key::mint([7; 32]), Key::mint([8; 32]));
        let with = |word: String| {
            HeaderMap::from_iter([(CONFIRMATION.parse().unwrap(), word.parse().unwrap())])
        };
        let none = HeaderMap::new();
        assert!(is_ours(&key, &Method::GET, &none));
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(!is_ours(&key, &method, &none));
            assert!(!is_ours(&key, &method, &with(other.confirmation())));
            assert!(is_ours(&key, &method, &with(key.confirmation())));
        }
    }
}
