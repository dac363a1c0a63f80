//! What may be created within a span, and what that may cost.

use std::time::Duration;

use super::duration;
use super::read::Read;

/// So many within any span of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    /// No more than this.
    pub most: i64,
    /// Within this.
    pub span: Duration,
}

/// What a platform takes for what, in millionths of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prices {
    /// A post without an address in it.
    pub post: i64,
    /// A post with an address in it.
    pub post_with_link: i64,
    /// The alternative text of a picture.
    pub alt_text: i64,
    /// Reading one post.
    pub read: i64,
}

impl Prices {
    pub(super) fn read(read: &Read<'_>, platform: &str) -> Self {
        let price = |name: &str| read.dollars(&format!("{platform}.price_{name}"));
        Self {
            post: price("post"),
            post_with_link: price("post_with_link"),
            alt_text: price("alt_text"),
            read: price("read"),
        }
    }
}

impl Read<'_> {
    /// Ceilings such as `100/15m, 300/3h`; none when left empty.
    pub(super) fn ceilings(&self, key: &str) -> Vec<Ceiling> {
        let text = self.text(key);
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let read = |part: &str| {
            let (most, span) = part.split_once('/')?;
            let most =
                most.trim().parse().ok().filter(|most| (1..=1_000_000_000).contains(most))?;
            let span = duration::parse(span.trim()).filter(|span| !span.is_zero())?;
            Some(Ceiling { most, span })
        };
        let read: Option<Vec<Ceiling>> = parts.map(read).collect();
        read.unwrap_or_else(|| {
            self.fault(key, &format!("{text:?} is no limit; write 100/15m, or 100/15m, 300/3h"));
            Vec::new()
        })
    }

    /// US dollars such as `0.015` or `500`, in millionths.
    pub(super) fn dollars(&self, key: &str) -> i64 {
        let text = self.text(key);
        micros(&text).unwrap_or_else(|| {
            let message = format!("{text:?} is no amount of US dollars; write 0.015, or 500");
            self.fault(key, &message);
            0
        })
    }
}

/// Millionths, exactly; at most a thousand million dollars.
fn micros(text: &str) -> Option<i64> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !digits(whole) || !digits(part) || whole.len() > 9 || part.len() > 6 {
        return None;
    }
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    Some(whole.parse::<i64>().ok()? * 1_000_000 + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_exactly() {
        let rows =
            [("0.015", 15_000), ("0.2", 200_000), ("500", 500_000_000), (" 1.000001 ", 1_000_001)];
        for (text, expected) in rows {
            assert_eq!(micros(text), Some(expected), "{text}");
        }
        for bad in ["", ".5", "5.", "-1", "1,5", "1e3", "0.0000001", "9999999999", "$5", "1.2.3"] {
            assert_eq!(micros(bad), None, "{bad}");
        }
    }
}
