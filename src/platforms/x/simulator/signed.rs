//! Requests that are signed by OAuth 1.0a, as X takes them: written from RFC 5849, sections 3.1 to 3.5, and
//! without a line of our client's.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::simulator::{Account, Call, Content, Platform, World};

/// Clocks may differ by so many seconds.
const SLACK: i64 = 300;

/// What the `Authorization` of a signed request says, decoded.
type Said = BTreeMap<String, String>;

/// Whether a request says that it is signed.
pub(super) fn is_signed(call: &Call) -> bool {
    call.header("authorization").is_some_and(|it| it.starts_with("OAuth ") && it.contains('='))
}

/// The account whose token has signed a request.
pub(super) fn signer(world: &World, call: &Call) -> Option<Arc<Account>> {
    let said = said(call)?;
    let part = |name: &str| said.get(name).map(String::as_str);
    let (consumer, consumer_secret) = world.consents().consumer()?;
    let token = world.consents().signer(part("oauth_token")?)?;
    let at: i64 = part("oauth_timestamp")?.parse().ok()?;
    let in_form = part("oauth_consumer_key")? == consumer
        && part("oauth_signature_method")? == "HMAC-SHA1"
        && part("oauth_version").is_none_or(|it| it == "1.0")
        && (at - world.now().as_second()).abs() <= SLACK
        && part("oauth_nonce").is_some_and(|it| !it.is_empty());
    let given = STANDARD.decode(part("oauth_signature")?).ok()?;
    let secrets = [consumer_secret.as_str(), token.secret.as_str()].map(quoted).join("&");
    let mut mac = Hmac::<Sha1>::new_from_slice(secrets.as_bytes()).ok()?;
    mac.update(base(call, &said)?.as_bytes());
    let good = in_form && mac.verify_slice(&given).is_ok();
    good.then(|| world.account(Platform::X, &token.user)).flatten()
}

/// Takes the nonce of a signed request; false when it was taken before.
pub(super) fn take_nonce(world: &World, call: &Call) -> bool {
    let Some(said) = said(call) else { return false };
    let part = |name: &str| said.get(name).cloned().unwrap_or_default();
    let once = [part("oauth_token"), part("oauth_timestamp"), part("oauth_nonce")].join(" ");
    world.consents().take_nonce(once)
}

/// 3.5.1: names and values, each escaped, in quotes.
fn said(call: &Call) -> Option<Said> {
    let list = call.header("authorization")?.strip_prefix("OAuth ")?;
    list.split(',')
        .map(|one| {
            let (name, value) = one.trim().split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            Some((plain(name)?, plain(value)?))
        })
        .collect()
}

/// 3.4.1: the method, the address without its query, and the sorted parameters.
fn base(call: &Call, said: &Said) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    let mut add = |name: &str, value: &str| all.push([quoted(name), quoted(value)].join("\u{1}"));
    for (name, value) in said {
        if name != "oauth_signature" && name != "realm" {
            add(name, value);
        }
    }
    let form = if let Content::Form(fields) = &call.content { fields.as_slice() } else { &[] };
    for (name, value) in call.query.iter().chain(form) {
        add(name, value);
    }
    // By name, then by value: the mark between them sorts before all that a name can hold.
    all.sort();
    let parameters = all.join("&").replace('\u{1}', "=");
    let host = call.header("host")?.to_ascii_lowercase();
    let host = host.strip_suffix(":80").unwrap_or(&host);
    let address = format!("http://{host}{}", call.path);
    Some([call.method.as_str(), &quoted(&address), &quoted(&parameters)].join("&"))
}

/// 3.6.
fn quoted(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => {
                let digit = |it: u8| char::from_digit(u32::from(it), 16).unwrap_or('0');
                out.extend(
                    ['%', digit(other >> 4), digit(other & 15)].map(|it| it.to_ascii_uppercase()),
                );
            }
        }
        out
    })
}

fn plain(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use jiff::Timestamp;

    use super::*;

    /// RFC 5849, 1.2: the request for a photo, letter by letter.
    #[test]
    fn the_example_of_the_rfc_is_read_and_its_signature_is_right() {
        let header = "OAuth realm=\"Photos\",oauth_consumer_key=\"dpf43f3p2l4k3l03\",\
            oauth_token=\"nnch734d00sl2jdk\",oauth_signature_method=\"HMAC-SHA1\",\
            oauth_timestamp=\"137131202\",oauth_nonce=\"chapoH\",\
            oauth_signature=\"MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D\"";
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static(header));
        headers.insert("host", HeaderValue::from_static("photos.example.net:80"));
        let call = Call {
            method: Method::GET,
            path: "/photos".to_owned(),
            query: vec![
                ("file".to_owned(), "vacation.jpg".to_owned()),
                ("size".to_owned(), "original".to_owned()),
            ],
            headers,
            content: Content::Other,
            at: Timestamp::UNIX_EPOCH,
        };
        let said = said(&call).unwrap();
        assert_eq!(said["oauth_signature"], "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
        let mut mac = Hmac::<Sha1>::new_from_slice(b"kd94hf93k423kf44&pfkkdhi9sl3r4s00").unwrap();
        mac.update(base(&call, &said).unwrap().as_bytes());
        assert_eq!(STANDARD.encode(mac.finalize().into_bytes()), said["oauth_signature"]);
    }

    #[test]
    fn what_is_quoted_is_read_again() {
        for text in ["", "a b+c", "Đại sứ quán", "100%", "~.-_"] {
            assert_eq!(plain(&quoted(text)).as_deref(), Some(text));
        }
        assert_eq!(quoted("=%3D ü"), "%3D%253D%20%C3%BC");
        assert_eq!(plain("%2"), None);
    }
}
