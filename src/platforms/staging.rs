//! Which uploaded files may be used again, so that a retry does not upload them twice.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::session::{ItemMedia, Progress, Staged, UnderWay};

/// The key under which an uploaded picture is kept: its content and its alternative text, because
/// both are fixed at the platform once it is there.
pub(super) fn key(media: &ItemMedia) -> String {
    let mut hash = Sha256::new();
    hash.update(media.sha256.as_bytes());
    hash.update([0]);
    hash.update(media.alt.as_bytes());
    hex::encode(hash.finalize())
}

/// The platform's id of this picture, if it is there and will not expire at once.
pub(super) fn already<'a>(progress: &'a Progress, key: &str, now: Timestamp) -> Option<&'a str> {
    progress
        .staged
        .iter()
        .find(|staged| staged.sha256 == key && staged.expires_at > now)
        .map(|staged| staged.remote_id.as_str())
}

/// Remembers a file that the platform now has.
pub(super) fn remember(progress: &mut Progress, staged: Staged) {
    forget_under_way(progress, &staged.sha256);
    progress.staged.retain(|old| old.sha256 != staged.sha256);
    progress.staged.push(staged);
}

/// How far a file has come that is on its way, if that will not expire at once.
pub(super) fn under_way(progress: &Progress, key: &str, now: Timestamp) -> Option<UnderWay> {
    let found = progress.under_way.iter().find(|one| one.sha256 == key && one.expires_at > now);
    found.cloned()
}

/// Remembers how far a file has come.
pub(super) fn came(progress: &mut Progress, how_far: UnderWay) {
    forget_under_way(progress, &how_far.sha256);
    progress.under_way.push(how_far);
}

/// The next try begins anew.
pub(super) fn forget_under_way(progress: &mut Progress, key: &str) {
    progress.under_way.retain(|old| old.sha256 != key);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::media::MediaKind;
    use crate::platforms::session::MediaSource;

    fn media(alt: &str) -> ItemMedia {
        ItemMedia {
            sha256: "ab".repeat(32),
            mime: "image/png".to_owned(),
            alt: alt.to_owned(),
            kind: MediaKind::Image,
            source: MediaSource::Held(bytes::Bytes::new()),
        }
    }

    #[test]
    fn another_alternative_text_is_another_upload() {
        assert_eq!(key(&media("a flag")), key(&media("a flag")));
        assert_ne!(key(&media("a flag")), key(&media("une bannière")));
    }

    #[test]
    fn what_has_expired_is_uploaded_again() {
        let mut progress = Progress::default();
        let expires_at: Timestamp = "2026-11-22T10:00:00Z".parse().expect("instant");
        let key = key(&media(""));
        for remote_id in ["1", "2"] {
            let staged =
                Staged { sha256: key.clone(), remote_id: remote_id.to_owned(), expires_at };
            remember(&mut progress, staged);
        }
        assert_eq!(progress.staged.len(), 1);
        let before: Timestamp = "2026-11-22T09:59:59Z".parse().expect("instant");
        assert_eq!(already(&progress, &key, before), Some("2"));
        assert_eq!(already(&progress, &key, expires_at), None);
    }
}
