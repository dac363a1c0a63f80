//! API tokens: their form, by which a leaked one is recognised, and the only thing kept of them.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// What every token begins with, so that scanners find one that leaked.
pub const PREFIX: &str = "chy_";

/// How much of a token people may see, to tell theirs apart.
const VISIBLE: usize = PREFIX.len() + 8;

/// A token in the clear. Shown to its owner once; never printed by us.
#[derive(Clone)]
pub struct ApiToken(String);

impl ApiToken {
    /// A new one from 32 fresh random bytes.
    pub fn mint(random: [u8; 32]) -> Self {
        let body = hex::encode(random);
        let check = crc32fast::hash(body.as_bytes());
        Self(format!("{PREFIX}{body}{check:08x}"))
    }

    /// Takes text for a token when its form and checksum are right; costs no look-up when not.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (body, check) = rest.split_at_checked(64)?;
        let hexadecimal = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        if !rest.bytes().all(hexadecimal) || check.len() != 8 {
            return None;
        }
        let right = u32::from_str_radix(check, 16).ok()? == crc32fast::hash(body.as_bytes());
        right.then(|| Self(text.to_owned()))
    }

    /// The token itself, for its owner's eyes.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it. A plain hash does: the token has 256 random bits.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }

    /// What people may see of it.
    pub fn visible(&self) -> &str {
        self.0.get(..VISIBLE).unwrap_or(PREFIX)
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.visible())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_and_a_typing_error_does_not() {
        let token = ApiToken::mint([7; 32]);
        let text = token.reveal().to_owned();
        assert_eq!(text.len(), 76);
        assert_eq!(ApiToken::parse(&text).unwrap().hash(), token.hash());
        let typo = text.replacen("07", "08", 1);
        assert!(ApiToken::parse(&typo).is_none());
        assert!(ApiToken::parse(&text.to_uppercase()).is_none());
        assert!(ApiToken::parse(&text[..70]).is_none());
        assert!(ApiToken::parse("chy_é").is_none());
    }

    #[test]
    fn printing_a_token_does_not_give_it_away() {
        let token = ApiToken::mint([9; 32]);
        assert_eq!(format!("{token:?}"), "chy_09090909…");
    }
}
