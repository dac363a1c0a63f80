//! Signatures of OAuth 1.0a: a request proves that its sender knows two secrets without sending them
//! (RFC 5849, 3.4 and 3.5.1; X API documents, OAuth 1.0a user context, read 2026-08-22).
//!
//! Query parameters are signed. Bodies are not: X is sent JSON and multipart, and only forms would be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderValue, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;
use url::Url;

use crate::outbound::secret_header;

/// The application.
#[derive(Debug, Clone, Copy)]
pub(super) struct Consumer<'a> {
    pub(super) key: &'a str,
    pub(super) secret: &'a SecretString,
}

/// A user's token with its secret. As a credential they are one text with a space between; no bearer token has
/// one.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    token: &'a str,
    secret: &'a str,
}

impl<'a> Pair<'a> {
    /// The pair in a credential, if it is one.
    pub(super) fn of(credential: &'a SecretString) -> Option<Self> {
        let (token, secret) = credential.expose_secret().split_once(' ')?;
        // Whatever has more of them is no pair: let X say what it is worth.
        (!secret.contains(' ')).then_some(Self { token, secret })
    }
}

/// What makes each request another one.
#[derive(Debug, Clone)]
pub(super) struct Once {
    nonce: String,
    at: Timestamp,
}

impl Once {
    /// For a request at this instant.
    pub(super) fn new(at: Timestamp) -> Self {
        Self { nonce: format!("{:032x}", rand::random::<u128>()), at }
    }
}

/// The `Authorization` of a request; `None` when it cannot be written.
pub(super) fn authorization(
    consumer: Consumer<'_>,
    pair: Pair<'_>,
    (method, url): (&Method, &Url),
    once: &Once,
) -> Option<HeaderValue> {
    let at = once.at.as_second().to_string();
    let own = [
        ("oauth_consumer_key", consumer.key),
        ("oauth_nonce", once.nonce.as_str()),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", at.as_str()),
        ("oauth_token", pair.token),
        ("oauth_version", "1.0"),
    ];
    let base = base_string(method, url, &own)?;
    let key = format!("{}&{}", escape(consumer.secret.expose_secret()), escape(pair.secret));
    let signature = sign(&key, &base)?;
    let mut header = String::from("OAuth ");
    for (name, value) in own.iter().chain(&[("oauth_signature", signature.as_str())]) {
        if !header.ends_with(' ') {
            header.push_str(", ");
        }
        for part in [name, "=\"", &escape(value), "\""] {
            header.push_str(part);
        }
    }
    secret_header(&header)
}

fn sign(key: &str, base: &str) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(base.as_bytes());
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

/// What is signed (RFC 5849, 3.4.1).
fn base_string(method: &Method, url: &Url, own: &[(&str, &str)]) -> Option<String> {
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (escape(&name), escape(&value)))
        .chain(own.iter().map(|(name, value)| (escape(name), escape(value))))
        .collect();
    pairs.sort_unstable();
    let parameters: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let place = format!("{}://{}{port}{}", url.scheme(), url.host_str()?, url.path());
    Some(format!("{method}&{}&{}", escape(&place), escape(&parameters.join("&"))))
}

/// All but letters, digits, `-`, `.`, `_` and `~`, with capital digits (RFC 5849, 3.6).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push_str(&hex::encode_upper([byte]));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(credential: &str, secret: &str, once: &Once, url: &str) -> String {
        let (credential, secret) = (SecretString::from(credential), SecretString::from(secret));
        let consumer = Consumer { key: "dpf43f3p2l4k3l03", secret: &secret };
        let url = url.parse().unwrap();
        let pair = Pair::of(&credential).unwrap();
        let header = authorization(consumer, pair, (&Method::GET, &url), once).unwrap();
        header.to_str().unwrap().to_owned()
    }

    /// RFC 5849, 1.2, but for the version, which that example leaves out.
    #[test]
    fn the_example_of_the_rfc_is_signed_like_there() {
        let own = [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131202"),
            ("oauth_nonce", "chapoH"),
        ];
        let url = "http://photos.example.net/photos?file=vacation.jpg&size=original";
        let base = base_string(&Method::GET, &url.parse().unwrap(), &own).unwrap();
        let signature = sign("kd94hf93k423kf44&pfkkdhi9sl3r4s00", &base).unwrap();
        assert_eq!(signature, "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    }

    /// RFC 5849, 3.4.1.1 and 3.4.1.3.2: doubled names, empty values and what is escaped twice.
    #[test]
    fn parameters_are_sorted_and_escaped_like_in_the_rfc() {
        let own = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            // Of the form there, which is signed like a query.
            ("c2", ""),
            ("a3", "2 q"),
        ];
        let url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b";
        let base = base_string(&Method::POST, &url.parse().unwrap(), &own).unwrap();
        let expected = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da\
             %26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2\
             %26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1\
             %26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";
        assert_eq!(base, expected);
    }

    #[test]
    fn no_secret_is_in_the_header_and_no_nonce_comes_twice() {
        let at = Timestamp::from_second(1_790_000_000).unwrap();
        let url = "http://127.0.0.1:8081/2/users/me?user.fields=public_metrics";
        let first = signed("token tokensecret", "appsecret", &Once::new(at), url);
        let second = signed("token tokensecret", "appsecret", &Once::new(at), url);
        assert_ne!(first, second);
        assert!(first.starts_with("OAuth oauth_consumer_key=\"dpf43f3p2l4k3l03\", "), "{first}");
        assert!(!first.contains("secret"), "{first}");
        assert!(Pair::of(&SecretString::from("bearer")).is_none());
        assert!(Pair::of(&SecretString::from("no such token")).is_none());
    }
}
