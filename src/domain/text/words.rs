//! The words of a text as a search knows them, with their marks and without, and what is searched for.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::domain::fault::Fault;

/// The most letters of a word that count; what is longer is no word of a language.
const LONGEST_WORD: usize = 64;
/// The most letters of what is searched for.
const LONGEST_QUERY: usize = 200;
/// The most words and phrases that are searched for at once.
const MOST_PHRASES: usize = 16;

/// The words of a text, in their order, in lower case. Scripts without spaces have one word for each sign.
pub fn words(text: &str) -> Vec<String> {
    let text = text.nfc().collect::<String>().to_lowercase();
    // Lower case can leave marks apart from their letters.
    let text: String = text.nfc().collect();
    let part = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    text.unicode_words()
        .flat_map(|word| word.split(|c: char| !part(c)))
        // A mark without a letter is what was left of an emoji.
        .filter(|word| word.contains(char::is_alphanumeric))
        .map(|word| word.chars().take(LONGEST_WORD).collect())
        .collect()
}

/// A word as somebody types it who has no keys for its marks: `đối` as `doi`.
pub fn unmarked(word: &str) -> String {
    let plain = |c: char| match c {
        'đ' => 'd',
        'ł' => 'l',
        'ø' => 'o',
        'ı' => 'i',
        other => other,
    };
    let bare: String = word.nfd().filter(|c| !is_combining_mark(*c)).map(plain).collect();
    bare.nfc().collect()
}

/// Words that stand one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// The words; at least one.
    pub words: Vec<String>,
    /// With just these marks, since somebody typed some; or with any.
    pub exact: bool,
    /// The last word only begins so.
    pub beginning: bool,
}

/// What is searched for: all of it must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Words and phrases; at least one.
    pub phrases: Vec<Phrase>,
}

impl Search {
    /// Reads what somebody typed: words between spaces, phrases between quotation marks, `*` after the beginning of a
    /// word.
    pub fn read(typed: &str) -> Result<Self, Fault> {
        if typed.nfc().count() > LONGEST_QUERY {
            let detail = format!("at most {LONGEST_QUERY} characters are searched for");
            return Err(Fault::new("?q", "too_long", detail).with("max", LONGEST_QUERY));
        }
        let mut phrases = Vec::new();
        // What stands at an odd place was between two quotation marks.
        for (place, piece) in typed.split(['"', '“', '”', '„', '«', '»']).enumerate() {
            if place % 2 == 1 {
                phrases.extend(Phrase::read(piece));
            } else {
                phrases.extend(piece.split_whitespace().filter_map(Phrase::read));
            }
        }
        if phrases.len() > MOST_PHRASES {
            let detail = format!("at most {MOST_PHRASES} words and phrases are searched for");
            return Err(Fault::new("?q", "too_many", detail).with("max", MOST_PHRASES));
        }
        if phrases.is_empty() {
            return Err(Fault::new("?q", "blank", "there is no letter or figure to search for"));
        }
        Ok(Self { phrases })
    }
}

impl Phrase {
    fn read(piece: &str) -> Option<Self> {
        let words = words(piece);
        let exact = words.iter().any(|word| unmarked(word) != *word);
        let beginning = piece.trim_end().ends_with('*');
        (!words.is_empty()).then_some(Self { words, exact, beginning })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_however_they_were_typed() {
        assert_eq!(words("Bộ Ngoại giao, “COVID-19”!"), ["bộ", "ngoại", "giao", "covid", "19"]);
        assert_eq!(words("Bo\u{323}\u{302}"), ["bộ"]);
        assert_eq!(words("mofa.gov.vn"), ["mofa", "gov", "vn"]);
        assert_eq!(words("外交部 🎉👍🏽 ❤\u{fe0f}"), ["外", "交", "部"]);
        assert_eq!(words(&"a".repeat(100)), ["a".repeat(64)]);
        assert_eq!(words("  … "), Vec::<String>::new());
    }

    #[test]
    fn marks_are_taken_off() {
        for (with, without) in
            [("đối", "doi"), ("ngoại", "ngoai"), ("đặc", "dac"), ("straße", "straße"), ("外", "外")]
        {
            assert_eq!(unmarked(with), without);
        }
    }

    #[test]
    fn what_is_typed_with_marks_is_meant_with_them() {
        let search = Search::read("doi “đối ngoại” amb*").unwrap();
        let phrase = |words: &[&str], exact, beginning| Phrase {
            words: words.iter().map(ToString::to_string).collect(),
            exact,
            beginning,
        };
        assert_eq!(
            search.phrases,
            [
                phrase(&["doi"], false, false),
                phrase(&["đối", "ngoại"], true, false),
                phrase(&["amb"], false, true)
            ]
        );
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let code = |typed: &str| Search::read(typed).unwrap_err().code;
        assert_eq!(code(" \"*\" - "), "blank");
        assert_eq!(code(&"a ".repeat(17)), "too_many");
        assert_eq!(code(&"a".repeat(201)), "too_long");
        assert!(Search::read(&"a".repeat(200)).is_ok());
        // A quotation mark that is not closed.
        assert_eq!(Search::read("a \"b c").unwrap().phrases.len(), 2);
    }
}
