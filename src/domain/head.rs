//! Signed heads of the audit: how far the chain had grown when, in words that somebody elsewhere can keep and prove.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The newest entry of the audit at an instant, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// The entry's number.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// When it was signed.
    pub at: Timestamp,
    /// The public key, in base64.
    pub key: String,
    /// Ed25519 over [`said`], in base64.
    pub signature: String,
}

/// What is signed: these lines, joined by line feeds, with none at the end.
pub fn said(seq: i64, hash: &str, at: Timestamp) -> String {
    format!("chancery audit head v1\n{seq}\n{hash}\n{at}")
}
