//! Being signed in at a screen: what the browser has of it, and the only thing kept of that.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::id::SessionId;

/// How many characters the key has: 32 bytes in hexadecimal.
const LENGTH: usize = 64;

/// What only the browser of somebody who is signed in has, or what only the link has that was made for him.
/// Never printed by us.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    /// A new one from fresh random bytes.
    pub fn mint(random: [u8; LENGTH / 2]) -> Self {
        Self(hex::encode(random))
    }

    /// Takes text for a key when its form is right.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed =
            text.len() == LENGTH && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The key itself, for whose it is.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it. A plain hash does: the key has 256 random bits.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }

    /// What a page of ours sends with every change. Another site's page can make a browser send the key, but
    /// never learns this.
    pub fn confirmation(&self) -> String {
        hex::encode(Sha256::new().chain_update("confirmation ").chain_update(&self.0).finalize())
    }

    /// Whether a request was confirmed with this. Of a hash nothing is learnt by how long it takes.
    pub fn is_confirmed_by(&self, given: &str) -> bool {
        Sha256::digest(self.confirmation()) == Sha256::digest(given)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// How somebody who acts is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Where.
    pub session_id: SessionId,
    /// When he has last shown that it is he.
    pub proved_at: Timestamp,
    /// Whether a code is asked of him besides his password.
    pub second_factor: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_and_gives_nothing_away() {
        let key = Key::mint([7; 32]);
        assert_eq!(Key::parse(key.reveal()).unwrap().hash(), key.hash());
        for odd in ["", "07", &key.reveal().to_uppercase().replace('0', "A"), &"g".repeat(64)] {
            assert!(Key::parse(odd).is_none(), "{odd}");
        }
        assert_eq!(format!("{key:?}"), "Key(…)");
    }

    #[test]
    fn only_its_own_confirmation_confirms() {
        let (key, other) = (Key::mint([7; 32]), Key::mint([8; 32]));
        assert!(key.is_confirmed_by(&key.confirmation()));
        for wrong in [other.confirmation(), key.hash(), key.reveal().to_owned(), String::new()] {
            assert!(!key.is_confirmed_by(&wrong));
        }
    }
}
