//! Characters that a reader does not see or that turn the text around them: which stand in a text,
//! and which of them may not.
//!
//! Some languages need some of them (Persian and the languages of India join and part letters with
//! them, Khmer parts words, emoji are built with them). There they are not even told. What has no
//! work to do where it stands is told, and refused where it can mislead: it hides that a text is
//! another one, or turns a name or an address around. The characters are those of Unicode's
//! `Default_Ignorable_Code_Point` and those that Unicode Technical Report 36 warns of.

use unicode_properties::{GeneralCategory, UnicodeEmoji as _, UnicodeGeneralCategory as _};
use unicode_script::{Script, UnicodeScript as _};

use super::emoji;
use crate::domain::words;

words! {
    /// What kind of odd character it is.
    MarkKind {
        /// Turns the writing direction of what follows.
        Direction = "direction",
        /// Joins or parts the letters beside it.
        Joiner = "joiner",
        /// Takes no room.
        Invisible = "invisible",
        /// Looks like a blank and is none.
        Blank = "blank",
        /// Chooses another shape of the character before it.
        Selector = "selector",
        /// Means something else on every machine.
        Private = "private",
    }
}

/// An odd character in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// How many code points stand before it.
    pub place: usize,
    /// Which.
    pub character: char,
    /// What it does.
    pub kind: MarkKind,
    /// True when it may not be published there.
    pub refused: bool,
}

/// What stands around a character.
#[derive(Clone, Copy)]
struct Place {
    before: Option<char>,
    after: Option<char>,
}

/// The odd characters of a text in order, without those that do their work where they stand.
pub fn marks(text: &str) -> Vec<Mark> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut in_flag = false;
    for (place, &character) in characters.iter().enumerate() {
        let beside = |at: Option<usize>| at.and_then(|at| characters.get(at)).copied();
        let around =
            Place { before: beside(place.checked_sub(1)), after: beside(place.checked_add(1)) };
        in_flag = match character {
            emoji::BLACK_FLAG => true,
            '\u{e0020}'..='\u{e007f}' => in_flag,
            _ => false,
        };
        if let Some((kind, refused)) = judged(character, around, in_flag) {
            found.push(Mark { place, character, kind, refused });
        }
    }
    found
}

/// What a character is where it stands; `None` for an ordinary one.
fn judged(c: char, around: Place, in_flag: bool) -> Option<(MarkKind, bool)> {
    let judged = match c {
        // What is forced to the other direction is read other than it is written.
        '\u{202d}' | '\u{202e}' => (MarkKind::Direction, true),
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202c}' | '\u{2066}'..='\u{2069}' => {
            (MarkKind::Direction, false)
        }
        '\u{200c}' | '\u{200d}' => {
            if around.joins() {
                return None;
            }
            (MarkKind::Joiner, true)
        }
        '\u{200b}' => {
            if around.parts_words() {
                return None;
            }
            (MarkKind::Invisible, true)
        }
        // A place to break a word, a place where none may be broken, a joined accent: harmless.
        '\u{ad}' | '\u{2060}' | '\u{34f}' => (MarkKind::Invisible, false),
        '\u{e0020}'..='\u{e007f}' if in_flag => return None,
        '\u{feff}'
        | '\u{180e}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{2061}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e00ff}'
        | '\u{e01f0}'..='\u{e0fff}' => (MarkKind::Invisible, true),
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' => (MarkKind::Blank, true),
        '\u{fe00}'..='\u{fe0f}' | '\u{180b}'..='\u{180d}' | '\u{e0100}'..='\u{e01ef}' => {
            if around.has_shapes() {
                return None;
            }
            (MarkKind::Selector, true)
        }
        _ if c.general_category() == GeneralCategory::PrivateUse => (MarkKind::Private, false),
        _ => return None,
    };
    Some(judged)
}

impl Place {
    /// Whether a joiner has something to do here: beside a letter of a script whose letters change
    /// by their neighbours, or inside an emoji.
    fn joins(self) -> bool {
        let is_emoji = |c: char| c.is_emoji_char() && !c.is_ascii();
        let inside_emoji = self.before.is_some_and(|c| is_emoji(c) || is_emoji_modifier(c))
            && self.after.is_some_and(is_emoji);
        inside_emoji || self.before.is_some_and(is_joining)
    }

    /// Whether words are written without blanks here.
    fn parts_words(self) -> bool {
        [self.before, self.after].into_iter().flatten().any(|c| {
            matches!(
                c.script(),
                Script::Khmer
                    | Script::Thai
                    | Script::Lao
                    | Script::Myanmar
                    | Script::Tai_Tham
                    | Script::Tai_Viet
                    | Script::Tibetan
                    | Script::Javanese
                    | Script::Balinese
            )
        })
    }

    /// Whether the character before has several shapes to choose from.
    fn has_shapes(self) -> bool {
        self.before.is_some_and(|c| {
            let pictured = c.is_emoji_char() || c.general_category() == GeneralCategory::MathSymbol;
            pictured
                || matches!(
                    c.script(),
                    Script::Han
                        | Script::Mongolian
                        | Script::Myanmar
                        | Script::Phags_Pa
                        | Script::Hiragana
                        | Script::Katakana
                )
        })
    }
}

fn is_emoji_modifier(c: char) -> bool {
    matches!(c, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// Whether letters of this script look different beside a joiner.
fn is_joining(c: char) -> bool {
    // Vowel signs and the virama of the scripts of India are of that script or inherited.
    !c.is_ascii()
        && !matches!(
            c.script(),
            Script::Latin
                | Script::Greek
                | Script::Cyrillic
                | Script::Armenian
                | Script::Hebrew
                | Script::Georgian
                | Script::Han
                | Script::Hangul
                | Script::Hiragana
                | Script::Katakana
                | Script::Bopomofo
                | Script::Thai
                | Script::Lao
                | Script::Common
                | Script::Inherited
                | Script::Unknown
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Vec<char> {
        marks(text).into_iter().filter(|mark| mark.refused).map(|mark| mark.character).collect()
    }

    fn told(text: &str) -> Vec<(usize, MarkKind)> {
        marks(text).into_iter().map(|mark| (mark.place, mark.kind)).collect()
    }

    #[test]
    fn what_a_language_needs_is_not_even_told() {
        for text in [
            "Chúc mừng Quốc khánh Việt Nam!\nHà Nội, 2/9",
            "می\u{200c}خواهم به ویتنام بروم", // Persian parts letters
            "क्\u{200d}ष और र्\u{200c}क",       // Hindi joins and parts them
            "ക്\u{200d} മലയാളം",                // Malayalam
            "ភាសា\u{200b}ខ្មែរ",                // Khmer parts words
            "ภาษา\u{200b}ไทย",                // Thai
            "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f} 👍🏽 🧑🏽\u{200d}🚀 🏳\u{fe0f}\u{200d}🌈 1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}", // the flag of Scotland
            "葛\u{e0100}城市", // a Japanese name's own shape
            "Größe: 10\u{a0}km",
            "שלום עולם",
            "مرحبا بالعالم",
        ] {
            assert_eq!(marks(text), [], "{text}");
        }
    }

    #[test]
    fn what_can_mislead_is_refused() {
        for (text, character) in [
            ("safe\u{202e}gpj.exe", '\u{202e}'),
            ("\u{202d}abc\u{202c}", '\u{202d}'),
            ("Viet\u{200b}nam", '\u{200b}'),
            ("Viet\u{200d}nam", '\u{200d}'),
            ("Viet\u{200c}nam", '\u{200c}'),
            ("mofa\u{feff}.gov.vn", '\u{feff}'),
            ("a\u{3164}b", '\u{3164}'),
            ("a\u{2800}b", '\u{2800}'),
            ("a\u{2063}b", '\u{2063}'),
            ("secret\u{e0061}\u{e0062}", '\u{e0061}'),
            ("x\u{e0101}", '\u{e0101}'),
            ("x\u{fe0f}", '\u{fe0f}'),
            ("\u{200d}", '\u{200d}'),
        ] {
            assert_eq!(refused(text).first(), Some(&character), "{text:?}");
        }
    }

    #[test]
    fn what_is_only_odd_is_told_with_its_place() {
        assert_eq!(told("Đối\u{ad}ngoại"), [(3, MarkKind::Invisible)]);
        assert_eq!(
            told("ab \u{2067}עברית\u{2069}"),
            [(3, MarkKind::Direction), (9, MarkKind::Direction)]
        );
        assert_eq!(told("logo \u{f8ff}"), [(5, MarkKind::Private)]);
        assert!(refused("Đối\u{ad}ngoại \u{2067}עברית\u{2069} \u{f8ff}").is_empty());
    }

    #[test]
    fn tags_after_the_end_of_a_flag_are_refused() {
        let flag = "🏴\u{e0067}\u{e0062}\u{e007f} \u{e0067}";
        assert_eq!(refused(flag), ['\u{e0067}']);
    }
}
