//! Keys of posts: thirteen signs that sort by the time that they carry (atproto.com, specifications,
//! record key and TID, read 2026-11-22).

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::domain::id::DeliveryId;

const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// How many signs a key has.
const LENGTH: usize = 13;

/// The key of a delivery's post, the same for every attempt: the time at which the delivery was entered,
/// and twenty bits of its id where a clock would have its microseconds and its number.
pub(super) fn of(delivery: &DeliveryId) -> String {
    let hash = Sha256::digest(delivery.as_str().as_bytes());
    let bits = hash.iter().take(3).fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    let millis = u64::try_from(delivery.made_at().as_millisecond()).unwrap_or(0);
    let micros = millis * 1_000 + ((bits >> 10) & 0x3ff) % 1_000;
    encode((micros << 10) | (bits & 0x3ff))
}

fn encode(number: u64) -> String {
    let letter = |place: usize| {
        let index = usize::try_from((number >> (place * 5)) & 31).unwrap_or(0);
        LETTERS.get(index).copied().map(char::from)
    };
    (0..LENGTH).rev().filter_map(letter).collect()
}

/// When a key was made, by itself. Other programs use other keys, which say nothing.
pub(super) fn made_at(key: &str) -> Option<Timestamp> {
    if key.len() != LENGTH
        || !key.starts_with(|c| ('2'..='7').contains(&c) || ('a'..='j').contains(&c))
    {
        return None;
    }
    let number = key.bytes().try_fold(0_u64, |number, byte| {
        let digit = LETTERS.iter().position(|letter| *letter == byte)?;
        Some((number << 5) | u64::try_from(digit).ok()?)
    })?;
    Timestamp::from_microsecond(i64::try_from(number >> 10).ok()?).ok()
}

/// Whether a text can be a key: up to 512 signs in general, but nobody who posts takes more than these.
pub(super) fn is_key(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '~');
    (1..=100).contains(&text.len()) && text.chars().all(plain) && !matches!(text, "." | "..")
}

/// Clocks differ by less.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// Whether a key carries a time that is not of the future.
pub(super) fn is_made_by(key: &str, instant: Timestamp) -> bool {
    let latest = instant.checked_add(AHEAD).unwrap_or(instant);
    made_at(key).is_some_and(|at| at <= latest)
}

/// What carries no time is older than whatever does.
pub(super) fn order(a: &str, b: &str) -> Ordering {
    let rank = |key: &str| made_at(key).is_some();
    (rank(a), a).cmp(&(rank(b), b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("instant")
    }

    #[test]
    fn a_delivery_has_one_key_and_no_other_delivery_has_it() {
        let made = at("2026-11-22T10:00:00.123Z");
        let key = of(&DeliveryId::new(made, 1));
        assert_eq!(key, of(&DeliveryId::new(made, 1)));
        assert_eq!(made_at(&key).expect("time").as_millisecond(), made.as_millisecond());
        let keys: std::collections::HashSet<String> =
            (0..100).map(|random| of(&DeliveryId::new(made, random))).collect();
        assert!(keys.len() >= 99, "{} of 100 of one millisecond", keys.len());
        assert!(key.len() == 13 && is_key(&key));
    }

    #[test]
    fn keys_sort_by_their_time() {
        // An example of the specification.
        assert_eq!(
            made_at("3jzfcijpj2z2a").map(|at| at.strftime("%Y").to_string()).as_deref(),
            Some("2023")
        );
        let of_year = |year: u32| of(&DeliveryId::new(at(&format!("{year}-01-01T00:00:00Z")), 9));
        assert!(order(&of_year(2026), &of_year(2027)).is_lt());
        assert!(order("self", &of_year(2026)).is_lt());
        assert!(is_made_by(&of_year(2026), at("2026-01-01T00:00:00Z")));
        assert!(!is_made_by(&of_year(2027), at("2026-01-01T00:00:00Z")));
        for odd in ["", "self", "3jzfcijpj2z2", "0jzfcijpj2z2a", "zzzzzzzzzzzzz", "3JZFCIJPJ2Z2A"] {
            assert_eq!(made_at(odd), None, "{odd}");
        }
        for odd in ["", "..", "a/b", "ả", "a b"] {
            assert!(!is_key(odd), "{odd}");
        }
    }
}
