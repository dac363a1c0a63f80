//! What a request may be before anybody looks at it: the size of its head, and who sends it.

use std::net::IpAddr;

use axum::extract::Request;
use http::{HeaderMap, StatusCode};

use super::problem::Problem;
use crate::service::Told;

/// The longest address.
const LONGEST_URI: usize = 8 * 1024;
/// The most headers.
const MOST_HEADERS: usize = 100;
/// The most bytes in all headers together.
const HEADER_BYTES: usize = 32 * 1024;
/// When somebody who has too many connections may try again.
const OVERRUN_RETRY_S: u64 = 5;

/// The address of the client, in a request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer(pub(super) IpAddr);

/// Marks a request that came over one connection too many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overrun;

impl Peer {
    /// Who sends a request over a connection from `address`. Only a proxy of ours is believed when
    /// it names somebody else, and it writes that at the end of the list.
    pub(super) fn of(address: IpAddr, proxies: &[IpAddr], headers: &HeaderMap) -> Self {
        if !proxies.contains(&address) {
            return Self(address);
        }
        let lists = headers.get_all("x-forwarded-for").iter().rev();
        let named = lists
            .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','))
            .map(|text| text.trim().parse().map(|it: IpAddr| it.to_canonical()))
            .find(|it| !it.as_ref().is_ok_and(|it| proxies.contains(it)));
        Self(named.and_then(Result::ok).unwrap_or(address))
    }
}

/// What is wrong with a request as a whole.
pub(super) fn check(request: &Request) -> Option<Problem> {
    if request.extensions().get::<Overrun>().is_some() {
        let detail = "too many connections from your address; close some, or use them again";
        let told = Told::new("too_many_connections", detail).retry_after(OVERRUN_RETRY_S);
        return Some(Problem::new(StatusCode::TOO_MANY_REQUESTS, told));
    }
    let uri = request.uri();
    let long = uri.path().len() + uri.query().map_or(0, str::len);
    if long > LONGEST_URI {
        let detail = format!("an address has at most {LONGEST_URI} bytes; shorten the query");
        let told = Told::new("uri_too_long", detail).with("max", LONGEST_URI);
        return Some(Problem::new(StatusCode::URI_TOO_LONG, told));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MOST_HEADERS || bytes > HEADER_BYTES {
        let detail = format!(
            "at most {MOST_HEADERS} headers with {HEADER_BYTES} bytes together; send fewer"
        );
        let told = Told::new("headers_too_large", detail)
            .with("count", MOST_HEADERS)
            .with("max", HEADER_BYTES);
        return Some(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, told));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let proxies = ["127.0.0.1", "10.0.0.9"].map(|it| it.parse().unwrap());
        Peer::of(address.parse().unwrap(), &proxies, &headers).0.to_string()
    }

    #[test]
    fn only_our_proxy_is_believed_and_only_its_own_word() {
        assert_eq!(peer("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(peer("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(peer("127.0.0.1", &["6.6.6.6, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(peer("127.0.0.1", &["6.6.6.6", "198.51.100.7, 10.0.0.9"]), "198.51.100.7");
        assert_eq!(peer("127.0.0.1", &["198.51.100.7, nonsense"]), "127.0.0.1");
        assert_eq!(peer("127.0.0.1", &["::ffff:198.51.100.7"]), "198.51.100.7");
        assert_eq!(peer("127.0.0.1", &[]), "127.0.0.1");
    }
}
