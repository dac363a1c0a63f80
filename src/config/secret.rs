//! Secrets of the configuration: read from files when asked to, never printed.

use std::io;
use std::path::Path;

use secrecy::SecretString;

/// The most that a secret file may hold; more is a wrong file.
const LONGEST: u64 = 64 * 1024;

/// Reads a secret from a file, without the line end that editors put there.
pub(super) fn read(path: &Path) -> io::Result<SecretString> {
    let length = std::fs::metadata(path)?.len();
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "is too large for a secret"));
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path)?);
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A database address with its password hidden.
pub(super) fn hide_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    // Options may hold one too (`?password=`), and nobody needs to see the others.
    let (rest, options) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?…"));
    match rest.rsplit_once('@') {
        Some((who, host)) => {
            let user = who.split(':').next().unwrap_or_default();
            let hidden = if who.contains(':') { ":(hidden)" } else { "" };
            format!("{scheme}://{user}{hidden}@{host}{options}")
        }
        None => format!("{scheme}://{rest}{options}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn the_line_end_of_a_secret_file_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "pass word \r\n").unwrap();
        assert_eq!(read(&path).unwrap().expose_secret(), "pass word ");
    }

    #[test]
    fn a_password_is_hidden_wherever_it_stands() {
        for (address, shown) in [
            ("postgres://u:canary@h:5432/d", "postgres://u:(hidden)@h:5432/d"),
            ("postgres://u:can@ary@h/d", "postgres://u:(hidden)@h/d"),
            ("postgres://u@h/d?password=canary", "postgres://u@h/d?…"),
            ("postgres://h/d", "postgres://h/d"),
            ("sqlite:/a/b.db", "sqlite:/a/b.db"),
        ] {
            assert_eq!(hide_password(address), shown);
        }
    }
}
