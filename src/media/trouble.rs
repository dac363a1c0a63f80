//! What can be the matter with a store elsewhere, in the words of whoever must put it right. Nothing of it
//! says anything about a file.

/// Why a store elsewhere did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nobody answers, or not to the end.
    #[error("it does not answer: {0}")]
    Silent(String),
    /// There is no such bucket.
    #[error("it has no bucket {0}; make it, or correct media.s3.bucket")]
    NoBucket(String),
    /// The key is not known there.
    #[error("it does not know the key: look at media.s3.access_key_id ({0})")]
    NoKey(String),
    /// The secret does not fit the key.
    #[error("the secret does not fit the key: look at media.s3.secret_access_key ({0})")]
    WrongSecret(String),
    /// The key may not do that.
    #[error("the key may not {doing} there: it needs to list, get and put ({code})")]
    Forbidden {
        /// What was asked for.
        doing: &'static str,
        /// The store's word.
        code: String,
    },
    /// The clocks differ.
    #[error("its clock and that of this machine are too far apart ({0})")]
    Clocks(String),
    /// The bucket is somewhere else.
    #[error("the bucket is elsewhere: look at media.s3.region and media.s3.endpoint ({0})")]
    Elsewhere(String),
    /// It has no mark of anybody, and not the file that must be there.
    #[error(
        "it has no mark, and not the newest file, which must be there: look at media.s3.bucket and \
         media.s3.prefix; where that is the right place, make it ours by chancery media copy"
    )]
    NotThere,
    /// It has the mark of another installation.
    #[error(
        "it has the files of another installation, by the mark .chancery there: look at media.s3.bucket \
         and media.s3.prefix, or at data_dir where media are kept on the disk"
    )]
    Anothers,
    /// Whose it is cannot be told now.
    #[error("it has no mark, and which files must be there cannot be told now: {0}")]
    Unproven(String),
    /// Something else.
    #[error("it answered {0}")]
    Other(String),
    /// It was taken, and is not what was given.
    #[error("what it has taken is not what it was given")]
    Unfaithful,
}

/// A refusal in the store's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}")]
pub(super) struct Refused {
    /// The status of the answer.
    pub(super) status: u16,
    /// Its code; empty where there is none.
    pub(super) code: String,
}

impl Refused {
    /// Reads an answer that is no success. Its document has one `Code`, and nothing else of it is for
    /// programs (Amazon S3 API Reference, "Error responses", read 2026-11-23).
    pub(super) fn new(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        let code = code.map_or("", |(code, _)| code).trim();
        let plain = code.len() <= 64 && code.bytes().all(|it| it.is_ascii_alphanumeric());
        Self { status, code: if plain { code.to_owned() } else { String::new() } }
    }

    /// No object has this name. A 404 that does not say so may mean the bucket, or something that
    /// stands before the store.
    pub(super) fn is_missing(&self) -> bool {
        self.status == 404 && self.code == "NoSuchKey"
    }

    /// The object ends before the part that was asked for.
    pub(super) fn is_beyond(&self) -> bool {
        self.status == 416
    }

    /// What to do about it.
    pub(super) fn trouble(&self, bucket: &str, doing: &'static str) -> Trouble {
        let said = self.to_string();
        match (self.status, self.code.as_str()) {
            (_, "NoSuchBucket") => Trouble::NoBucket(bucket.to_owned()),
            (_, "InvalidAccessKeyId") => Trouble::NoKey(said),
            (_, "SignatureDoesNotMatch") => Trouble::WrongSecret(said),
            (_, "RequestTimeTooSkewed") => Trouble::Clocks(said),
            (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect")
            | (300..=399, _) => Trouble::Elsewhere(said),
            (401 | 403, _) => Trouble::Forbidden { doing, code: said },
            (_, _) => Trouble::Other(said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stores_own_word_makes_an_object_missing() {
        let answer = |status, code: &str| {
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
            Refused::new(status, body.as_bytes())
        };
        assert!(answer(404, "NoSuchKey").is_missing());
        for other in [
            answer(404, "NoSuchBucket"),
            answer(403, "NoSuchKey"),
            Refused::new(404, b"<html>not found</html>"),
            Refused::new(404, b""),
        ] {
            assert!(!other.is_missing(), "{other:?}");
        }
    }

    #[test]
    fn each_refusal_says_what_to_look_at() {
        let trouble = |status, code: &str| {
            let body = format!("<Error><Code>{code}</Code><Message>x</Message></Error>");
            Refused::new(status, body.as_bytes()).trouble("desk", "read").to_string()
        };
        assert!(trouble(404, "NoSuchBucket").contains("no bucket desk"));
        assert!(trouble(403, "InvalidAccessKeyId").contains("media.s3.access_key_id"));
        assert!(trouble(403, "SignatureDoesNotMatch").contains("media.s3.secret_access_key"));
        assert!(trouble(403, "RequestTimeTooSkewed").contains("clock"));
        assert!(trouble(301, "PermanentRedirect").contains("media.s3.region"));
        assert!(trouble(307, "").contains("media.s3.region"));
        assert!(trouble(403, "AccessDenied").contains("may not read"));
        assert!(trouble(503, "SlowDown").contains("503 SlowDown"));
        // Nothing of a page that is not the store's gets into ours.
        assert!(trouble(500, "<b>").ends_with("500 "));
    }
}
