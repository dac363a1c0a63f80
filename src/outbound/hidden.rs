//! A refusal that repeats what only the platform may know: it would be shown to people and kept.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use url::{Url, form_urlencoded};

/// What stands in its place.
const HIDDEN: &[u8] = b"(hidden)";

/// What is shorter is no secret, and would be found in many words.
const LEAST: usize = 8;

/// Parts of the names of what is secret in an address or a form.
const SECRET: [&str; 6] = ["token", "secret", "password", "proof", "verifier", "code"];

/// Where the secrets of a request are.
#[derive(Debug)]
pub(super) struct Sent {
    authorization: Vec<HeaderValue>,
    url: Url,
    body: Bytes,
}

impl Sent {
    pub(super) fn new(url: &Url, headers: &HeaderMap, body: &Bytes) -> Self {
        let authorization = headers.get_all(AUTHORIZATION).iter().cloned().collect();
        Self { authorization, url: url.clone(), body: body.clone() }
    }

    /// The text of a refusal without them.
    pub(super) fn hide(&self, text: Bytes) -> Bytes {
        let words =
            self.authorization.iter().filter_map(|it| it.to_str().ok()?.split(' ').next_back());
        let pairs = self.url.query_pairs().chain(form_urlencoded::parse(&self.body));
        let values = pairs
            .filter(|(name, _)| SECRET.iter().any(|it| name.contains(it)))
            .map(|(_, value)| value.into_owned());
        let secrets = words.map(str::to_owned).chain(values).filter(|it| it.len() >= LEAST);
        secrets.fold(text, |text, secret| without(text, secret.as_bytes()))
    }
}

fn without(text: Bytes, secret: &[u8]) -> Bytes {
    let (mut rest, mut clean) = (&text[..], Vec::new());
    while let Some(at) = rest.windows(secret.len()).position(|it| it == secret) {
        let (before, after) = rest.split_at(at);
        clean.extend_from_slice(before);
        clean.extend_from_slice(HIDDEN);
        rest = after.get(secret.len()..).unwrap_or_default();
    }
    if clean.is_empty() {
        return text;
    }
    clean.extend_from_slice(rest);
    Bytes::from(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_as_a_secret_is_not_in_the_refusal() {
        let url = Url::parse("https://a.example/x?client_secret=one%2Bsecret&page=of-the-post");
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer the-token-itself"));
        let body = Bytes::from_static(b"refresh_token=a-refresh-token&short_code=ab");
        let sent = Sent::new(&url.unwrap(), &headers, &body);
        let said =
            "the-token-itself and one+secret, a-refresh-token, ab, of-the-post, the-token-itself";
        let shown = sent.hide(Bytes::from(said));
        assert_eq!(shown, "(hidden) and (hidden), (hidden), ab, of-the-post, (hidden)");
        let plain = Bytes::from_static(b"nothing of that");
        assert_eq!(sent.hide(plain.clone()), plain);
    }
}
