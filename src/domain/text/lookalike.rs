//! Names that look like other names: addresses and words that mix scripts to pass for something else.
//!
//! Unicode Technical Standard 39 says which letters look alike and which mixtures
//! of scripts occur in honest names; its data are those of the crate `unicode-security`.

use unicode_script::{Script, UnicodeScript as _};
use unicode_security::confusable_detection::skeleton;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _};

/// What an address in letters that are not what they seem would be read as; `None` for an honest
/// one. The host may be in letters or in the form `xn--…`.
pub fn passes_for(host: &str) -> Option<String> {
    let (shown, decoded) = idna::domain_to_unicode(host);
    // What cannot be decoded is shown as it is written.
    decoded.ok()?;
    shown.split('.').any(is_disguised).then(|| skeleton(&shown).collect())
}

/// Whether one label of a host is written to be read as another.
fn is_disguised(label: &str) -> bool {
    if label.is_ascii() {
        return false;
    }
    if !label.check_restriction_level(RestrictionLevel::HighlyRestrictive) {
        return true;
    }
    // Every letter looks like one of ASCII: аррӏе in Cyrillic.
    skeleton(label).all(|c| c.is_ascii())
}

/// The words of a text that mix Latin letters with letters of another script that look like Latin
/// ones, in order.
pub fn disguised_words(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '@')))
        .map(|word| word.trim_matches(['.', '_', '@']))
        .filter(|word| is_mixed(word))
        .collect()
}

fn is_mixed(word: &str) -> bool {
    let is_latin = |c: char| c.script() == Script::Latin;
    let passes = |c: char| {
        matches!(
            c.script(),
            Script::Cyrillic | Script::Greek | Script::Armenian | Script::Cherokee | Script::Coptic
        ) && skeleton(c.encode_utf8(&mut [0; 4])).all(|it| it.is_ascii_alphanumeric())
    };
    word.chars().any(is_latin) && word.chars().any(passes)
}

/// Whether letters are drawn by mathematical symbols ("𝗛𝗮̀ 𝗡𝗼̣̂𝗶"), which screen readers spell out or leave out.
pub fn has_drawn_letters(text: &str) -> bool {
    text.chars().any(|c| {
        matches!(c, '\u{1d400}'..='\u{1d7ff}' | '\u{1f130}'..='\u{1f149}' | '\u{1f150}'..='\u{1f169}' | '\u{24b6}'..='\u{24e9}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_addresses_pass() {
        for host in [
            "mofa.gov.vn",
            "xn--mnchen-3ya.de",
            "đạisứquán.vn",
            "münchen.de",
            "ελλάδα.gr",
            "правительство.рф",
            "日本語.jp",
            "東京タワー.jp",
            "한국.kr",
            "مصر.eg",
            "भारत.in",
            "127.0.0.1",
            "a-b.example",
        ] {
            assert_eq!(passes_for(host), None, "{host}");
        }
    }

    #[test]
    fn disguised_addresses_are_found_in_letters_and_in_their_coded_form() {
        // м, о, а, е, р and others in Cyrillic, ο in Greek.
        for host in ["mоfa.gov.vn", "аррӏе.com", "mofa.gοv.vn", "xn--80ak6aa92e.com"] {
            assert!(passes_for(host).is_some(), "{host}");
        }
        assert_eq!(passes_for("mоfa.gov.vn").as_deref(), Some("rnofa.gov.vn"));
    }

    #[test]
    fn words_that_mix_scripts_are_named() {
        let text = "Theo Bộ Ngоại giao (mоfa.gov.vn), приветствие и Việt Nam; 5 kΩ, α-thalassemia";
        assert_eq!(disguised_words(text), ["Ngоại", "mоfa.gov.vn"]);
        assert_eq!(disguised_words("Ελλάδα và Россия và Việt Nam"), Vec::<&str>::new());
    }

    #[test]
    fn letters_drawn_by_symbols_are_noticed() {
        assert!(has_drawn_letters("𝗩𝗶𝗲𝘁 𝗡𝗮𝗺"));
        assert!(!has_drawn_letters("Việt Nam ℃ Ⅳ ½ ™"));
    }
}
