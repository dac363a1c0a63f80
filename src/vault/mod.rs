//! Seals and opens credentials with keys that are kept outside the database.
//!
//! XChaCha20-Poly1305 with a random nonce. What is sealed is bound to the account it belongs to, so
//! a sealed token that is copied to another row, or an older one put back, does not open. The first
//! key seals; every key that is known opens, so keys can be changed one after another.

pub mod signer;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::config;

/// The first byte of everything sealed: the layout, so that a later one can be told apart.
const LAYOUT: u8 = 1;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const LONGEST_KEY_ID: usize = 32;
/// The id of a key that is given without one.
const PLAIN_KEY_ID: &str = "1";
/// The most that a key file may hold.
const LONGEST_FILE: u64 = 64 * 1024;
/// What the check value says once it is opened.
const CHECK: &str = "chancery";

/// What a sealed value belongs to. Opening with any other fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The platform's id.
    pub platform: &'a str,
    /// The platform's id of the account.
    pub remote_id: &'a str,
    /// The version of the credential; a replaced one does not come back.
    pub version: i64,
}

/// The name that a refresh token is bound to: another than its access token's, so that neither can be
/// put in the place of the other.
pub fn refresh_name(remote_id: &str) -> String {
    format!("{remote_id}#refresh")
}

/// A sealed value as it is kept. Not printable and not serialisable: it goes to the database only.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key that opens it.
    pub key_id: String,
    /// Layout, key id, nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// The keys, ready to seal and open.
pub struct Vault {
    active: String,
    keys: BTreeMap<String, XChaCha20Poly1305>,
}

/// Why the keys cannot be used, or something cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key is not there although something was sealed with it.
    #[error("the key {0} is missing, but the database was sealed with it; put it back")]
    Missing(PathBuf),
    /// The key file could not be read or made.
    #[error("key file {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read or change the key file.
    #[error("others may read or change {path} (mode {mode:03o}); run chmod 400 {path}")]
    TooOpen {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A line that is no key. Which one is said, what it holds is not.
    #[error("line {0} of the keys is not 32 bytes in base64, alone or as id:base64")]
    BadKey(usize),
    /// Two keys with the same id.
    #[error("the key id {0} is given twice")]
    DoubleKey(String),
    /// No key at all.
    #[error("there is no key")]
    NoKey,
    /// Not the key that the database was sealed with.
    #[error("the key is not the one that this database was sealed with (key id {0})")]
    WrongKey(String),
    /// Sealed with a key that is not among those given.
    #[error("the key {0} is not known")]
    UnknownKey(String),
    /// A file that holds no key to sign with.
    #[error("{0} holds no Ed25519 key; `chancery audit key <file>` makes one")]
    BadSigningKey(PathBuf),
    /// The machine gives no random numbers.
    #[error("the machine gives no random numbers to make a key of")]
    NoRandomness,
    /// Changed, cut off, or sealed for something else.
    #[error("a sealed value does not open: it was changed or belongs to something else")]
    Refused,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("active", &self.active).finish_non_exhaustive()
    }
}

impl Sealed {
    /// A sealed value as it was kept; `None` when it is nothing that was ever sealed.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let key_id = Parts::of(&bytes)?.key_id.to_owned();
        Some(Self { key_id, bytes })
    }
}

impl Vault {
    /// Loads the keys and proves that they open `check`, the check value of the database.
    ///
    /// Makes a key when none was configured and the database has nothing sealed yet; never
    /// otherwise, since a new key cannot open what an old one sealed.
    pub fn unlock(settings: &config::Vault, check: Option<&Sealed>) -> Result<Self, Error> {
        let vault = match settings {
            config::Vault::Keys(text) => Self::parse(text.expose_secret())?,
            config::Vault::File(path) => Self::read(path)?,
            config::Vault::Generated(path) => match Self::read(path) {
                Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    if check.is_some() {
                        return Err(Error::Missing(path.clone()));
                    }
                    generate(path)?;
                    Self::read(path)?
                }
                read => read?,
            },
        };
        if let Some(check) = check {
            vault.verify(check)?;
        }
        Ok(vault)
    }

    /// A value to keep in the database, by which a wrong key is noticed before it does harm.
    pub fn check_value(&self) -> Result<Sealed, Error> {
        self.seal(CHECK_BINDING, &SecretString::from(CHECK))
    }

    /// Whether these keys open the check value of a database.
    pub fn verify(&self, check: &Sealed) -> Result<(), Error> {
        match self.open(CHECK_BINDING, check) {
            Ok(text) if text.expose_secret() == CHECK => Ok(()),
            Ok(_) | Err(_) => Err(Error::WrongKey(check.key_id.clone())),
        }
    }

    /// The id of the key that seals; what is sealed with another should be sealed again.
    pub fn active_key(&self) -> &str {
        &self.active
    }

    /// Whether a key is at hand.
    pub fn knows(&self, key_id: &str) -> bool {
        self.keys.contains_key(key_id)
    }

    /// The ids of the keys that are at hand, in their order.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Seals a secret for what it belongs to.
    pub fn seal(&self, to: Binding<'_>, secret: &SecretString) -> Result<Sealed, Error> {
        let key = self.keys.get(&self.active).ok_or(Error::NoKey)?;
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let aad = associated(to, &self.active);
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: &aad };
        let sealed =
            key.encrypt(&XNonce::from(nonce), payload).map_err(|_opaque| Error::Refused)?;
        let mut bytes = vec![LAYOUT, u8::try_from(self.active.len()).unwrap_or(0)];
        bytes.extend_from_slice(self.active.as_bytes());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        Ok(Sealed { key_id: self.active.clone(), bytes })
    }

    /// Opens what was sealed for exactly this.
    pub fn open(&self, from: Binding<'_>, sealed: &Sealed) -> Result<SecretString, Error> {
        let parts = Parts::of(&sealed.bytes).ok_or(Error::Refused)?;
        if parts.key_id != sealed.key_id {
            return Err(Error::Refused);
        }
        let key = self
            .keys
            .get(parts.key_id)
            .ok_or_else(|| Error::UnknownKey(parts.key_id.to_owned()))?;
        let aad = associated(from, parts.key_id);
        let payload = Payload { msg: parts.sealed, aad: &aad };
        let opened = key.decrypt(&XNonce::from(parts.nonce), payload);
        let opened = Zeroizing::new(opened.map_err(|_opaque| Error::Refused)?);
        let text = std::str::from_utf8(&opened).map_err(|_opaque| Error::Refused)?;
        Ok(SecretString::from(text.to_owned()))
    }

    fn read(path: &Path) -> Result<Self, Error> {
        Self::parse(&read_secret(path)?)
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let mut keys = BTreeMap::new();
        let mut active = None;
        let lines = text.split(['\n', ',']).map(str::trim).enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let bad = || Error::BadKey(number + 1);
            let (id, encoded) = line.split_once(':').unwrap_or((PLAIN_KEY_ID, line));
            let id = id.trim();
            let plain = id.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it));
            if id.is_empty() || id.len() > LONGEST_KEY_ID || !plain {
                return Err(bad());
            }
            let bytes = Zeroizing::new(STANDARD.decode(encoded.trim()).map_err(|_shown| bad())?);
            let key = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_shown| bad())?;
            if keys.insert(id.to_owned(), key).is_some() {
                return Err(Error::DoubleKey(id.to_owned()));
            }
            active.get_or_insert_with(|| id.to_owned());
        }
        Ok(Self { active: active.ok_or(Error::NoKey)?, keys })
    }
}

/// What stands in a key file that nobody else may read.
fn read_secret(path: &Path) -> Result<Zeroizing<String>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let file = OpenOptions::new().read(true).open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    // A credential of systemd belongs to root and is shown with the group's bits of its access
    // list (systemd.exec(5), LoadCredential=), so the group may read what root owns.
    let forbidden = if facts.uid() == 0 { 0o037 } else { 0o077 };
    if facts.is_file() && facts.mode() & forbidden != 0 {
        return Err(Error::TooOpen { path: path.to_owned(), mode: facts.mode() & 0o777 });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST_FILE).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// What the check value is bound to; no account has it.
const CHECK_BINDING: Binding<'static> = Binding { platform: "", remote_id: "check", version: 0 };

/// The pieces of a sealed value.
struct Parts<'a> {
    key_id: &'a str,
    nonce: [u8; NONCE_BYTES],
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (&[LAYOUT, length], rest) = bytes.split_first_chunk::<2>()? else { return None };
        let (key_id, rest) = rest.split_at_checked(usize::from(length))?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        Some(Self { key_id: std::str::from_utf8(key_id).ok()?, nonce: *nonce, sealed })
    }
}

/// Everything that must agree, each with its length before it, so that no two bindings look alike.
fn associated(to: Binding<'_>, key_id: &str) -> Vec<u8> {
    let mut aad = vec![LAYOUT];
    for part in [key_id, to.platform, to.remote_id] {
        aad.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        aad.extend_from_slice(part.as_bytes());
    }
    aad.extend_from_slice(&to.version.to_be_bytes());
    aad
}

/// Writes a new key that only we may read, durable before anything is sealed with it.
fn generate(path: &Path) -> Result<(), Error> {
    write_new(path, &new_line(PLAIN_KEY_ID))?;
    sync_directory(path)
}

/// Puts a new key before those of a file, so that it seals from the next start on. The file is replaced
/// in one step: after a loss of power it has either all of the keys or the older ones.
pub fn add_key(path: &Path, id: &str) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let known = Vault::read(path)?;
    if known.knows(id) {
        return Err(Error::DoubleKey(id.to_owned()));
    }
    let old = Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
    let text = Zeroizing::new(format!("{}{}", new_line(id).as_str(), old.as_str()));
    Vault::parse(&text)?;
    let beside = path.with_extension("new");
    match std::fs::remove_file(&beside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    write_new(&beside, &text)?;
    std::fs::rename(&beside, path).map_err(failed)?;
    sync_directory(path)
}

fn new_line(id: &str) -> Zeroizing<String> {
    let key: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(rand::random());
    Zeroizing::new(format!("{id}:{}\n", STANDARD.encode(*key)))
}

fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

fn sync_directory(of: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: of.to_owned(), source };
    let Some(directory) = of.parent() else { return Ok(()) };
    let directory = OpenOptions::new().read(true).open(directory).map_err(failed)?;
    directory.sync_all().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    const A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const B: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn vault(keys: &str) -> Vault {
        Vault::unlock(&config::Vault::Keys(SecretString::from(keys)), None).unwrap()
    }

    fn binding(remote_id: &str) -> Binding<'_> {
        Binding { platform: "x", remote_id, version: 3 }
    }

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.key");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn what_was_sealed_opens_for_its_own_account_only() {
        let vault = vault(A);
        let sealed = vault.seal(binding("1"), &SecretString::from("canary")).unwrap();
        assert_eq!(vault.open(binding("1"), &sealed).unwrap().expose_secret(), "canary");
        for other in [
            binding("2"),
            Binding { version: 2, ..binding("1") },
            Binding { version: 4, ..binding("1") },
            Binding { platform: "facebook", ..binding("1") },
            Binding { platform: "x1", remote_id: "", version: 3 },
            Binding { platform: "", remote_id: "x1", version: 3 },
        ] {
            assert!(matches!(vault.open(other, &sealed), Err(Error::Refused)), "{other:?}");
        }
        // Two sealed values that were exchanged.
        let second = vault.seal(binding("2"), &SecretString::from("other")).unwrap();
        assert!(
            vault.open(binding("1"), &second).is_err()
                && vault.open(binding("2"), &sealed).is_err()
        );
    }

    proptest! {
        #[test]
        fn any_secret_opens_and_any_changed_byte_does_not(
            secret in ".{0,200}", remote in "[0-9]{1,20}", version in any::<i64>(), at in any::<prop::sample::Index>(), flip in 1..=255_u8,
        ) {
            let vault = vault(A);
            let to = Binding { platform: "facebook", remote_id: &remote, version };
            let sealed = vault.seal(to, &SecretString::from(secret.clone())).unwrap();
            prop_assert!(sealed.bytes.windows(8).all(|part| !secret.as_bytes().windows(8).any(|it| it == part)));
            let kept = Sealed::from_bytes(sealed.bytes.clone()).unwrap();
            let opened = vault.open(to, &kept).unwrap();
            prop_assert_eq!(opened.expose_secret(), secret.as_str());
            let mut bytes = sealed.bytes.clone();
            bytes[at.index(sealed.bytes.len())] ^= flip;
            let changed = Sealed { key_id: sealed.key_id.clone(), bytes };
            prop_assert!(vault.open(to, &changed).is_err());
            let cut = Sealed { bytes: sealed.bytes[..at.index(sealed.bytes.len())].to_vec(), ..sealed };
            prop_assert!(vault.open(to, &cut).is_err());
        }
    }

    #[test]
    fn keys_are_changed_by_putting_a_new_one_first() {
        let old = vault(&format!("2025:{A}"));
        let sealed = old.seal(binding("1"), &SecretString::from("canary")).unwrap();
        let both = vault(&format!("# new\n2026:{B}\n\n2025:{A}\n"));
        assert_eq!(both.active_key(), "2026");
        let opened = both.open(binding("1"), &sealed).unwrap();
        let again = both.seal(binding("1"), &opened).unwrap();
        assert_eq!((sealed.key_id.as_str(), again.key_id.as_str()), ("2025", "2026"));
        let new = vault(&format!("2026:{B}"));
        assert!(new.open(binding("1"), &again).is_ok());
        assert!(
            matches!(new.open(binding("1"), &sealed), Err(Error::UnknownKey(id)) if id == "2025")
        );
        // A key id in the row that is not the one in the sealed bytes.
        let renamed = Sealed { key_id: "2026".to_owned(), ..sealed };
        assert!(matches!(both.open(binding("1"), &renamed), Err(Error::Refused)));
    }

    #[test]
    fn keys_that_are_none_are_refused_without_showing_them() {
        let double = format!("a:{A}\na:{B}");
        let spaced = format!("a b:{A}");
        for (text, expected) in [
            ("", "there is no key"),
            ("# only a comment", "there is no key"),
            ("c2hvcnQ=", "line 1"),
            ("canary!", "line 1"),
            (&format!("{A}\nb:{A}AAAA"), "line 2"),
            (&double, "twice"),
            (&spaced, "line 1"),
        ] {
            let error =
                Vault::unlock(&config::Vault::Keys(SecretString::from(text)), None).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(told.contains(expected) && !told.contains("canary"), "{text}: {told}");
        }
    }

    #[test]
    fn a_key_is_made_once_and_for_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.key");
        let settings = config::Vault::Generated(path.clone());
        let first = Vault::unlock(&settings, None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let check = first.check_value().unwrap();
        let again = Vault::unlock(&settings, Some(&check)).unwrap();
        assert!(again.verify(&check).is_ok());
        // The database is there, its key is gone: no new key is made.
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Vault::unlock(&settings, Some(&check)), Err(Error::Missing(_))));
        assert!(!path.exists());
        // Another key in its place.
        let other = Vault::unlock(&settings, None).unwrap();
        assert!(matches!(other.verify(&check), Err(Error::WrongKey(_))));
        assert!(matches!(Vault::unlock(&settings, Some(&check)), Err(Error::WrongKey(_))));
        // A configured file is never made.
        let named = config::Vault::File(directory.path().join("other.key"));
        assert!(matches!(Vault::unlock(&named, None), Err(Error::File { .. })));
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        for (mode, fine) in
            [(0o600, true), (0o400, true), (0o604, false), (0o620, false), (0o666, false)]
        {
            let (_directory, path) = file(A, mode);
            let unlocked = Vault::unlock(&config::Vault::File(path), None);
            match unlocked {
                Ok(_) => assert!(fine, "{mode:o}"),
                Err(error) => assert!(!fine && matches!(error, Error::TooOpen { .. }), "{mode:o}"),
            }
        }
        let (_directory, path) = file("\u{0}\u{1}", 0o600);
        assert!(matches!(Vault::unlock(&config::Vault::File(path), None), Err(Error::BadKey(1))));
        let (_directory, path) = file("", 0o600);
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(Vault::unlock(&config::Vault::File(path), None), Err(Error::File { .. })));
    }

    #[test]
    fn nothing_sealed_and_no_key_is_ever_printed() {
        let vault = vault(A);
        let sealed = vault.seal(binding("1"), &SecretString::from("canary")).unwrap();
        let printed = format!("{vault:?} {sealed:?}");
        assert!(!printed.contains("bytes") && !printed.contains("AAAA"), "{printed}");
    }
}
