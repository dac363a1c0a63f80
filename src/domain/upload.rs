//! A file that comes in piece by piece, and what its sender says of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::id::{MediaId, PersonId, UploadId};

/// The longest that a sender may say of a file, in bytes.
pub const LONGEST_METADATA: usize = 4_096;

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Whose it is; nobody else's.
    pub person_id: PersonId,
    /// Size of the whole file.
    pub size_bytes: u64,
    /// What its sender says of it, in the form of the protocol.
    pub metadata: String,
    /// What became of it.
    pub media_id: Option<MediaId>,
    /// Why nothing became of it, as a stable word.
    pub problem: Option<String>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

impl Upload {
    /// Whether it is known what became of it.
    pub fn is_over(&self) -> bool {
        self.media_id.is_some() || self.problem.is_some()
    }

    /// What its sender says under this name.
    pub fn said(&self, name: &str) -> Option<String> {
        pairs(&self.metadata)?.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// What a sender says of a file: names, each once, with values in base64, between commas. Nothing when
/// it is not that.
pub fn pairs(metadata: &str) -> Option<Vec<(&str, String)>> {
    if metadata.len() > LONGEST_METADATA {
        return None;
    }
    let mut all: Vec<(&str, String)> = Vec::new();
    for pair in metadata.split(',').filter(|_| !metadata.is_empty()) {
        let (name, value) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
        let value = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
        if name.is_empty() || !name.is_ascii() || all.iter().any(|(known, _)| *known == name) {
            return None;
        }
        all.push((name, value));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_says_is_read_as_the_protocol_writes_it() {
        let said = "filename w6FuaC5tcDQ=,filetype dmlkZW8vbXA0,is_confidential";
        let wanted = [("filename", "ánh.mp4"), ("filetype", "video/mp4"), ("is_confidential", "")];
        assert_eq!(pairs(said).unwrap(), wanted.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(pairs("").unwrap(), []);
        for bad in ["a ??", "a YQ==,a YQ==", ",", "é YQ==", "a /w=="] {
            assert_eq!(pairs(bad), None, "{bad}");
        }
        assert_eq!(pairs(&"a".repeat(LONGEST_METADATA + 1)), None);
    }
}
