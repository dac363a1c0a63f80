//! What has changed between two texts, word by word: by Unicode's bounds of words, which are those of signs
//! where a script writes words without blanks.

use std::hash::Hash;

use serde::{Deserialize, Serialize};
use similar::{Algorithm, capture_diff_slices};
use unicode_segmentation::UnicodeSegmentation as _;
use utoipa::ToSchema;

use super::words;

words! {
    /// What has become of a piece of a text.
    Fate {
        /// It stands in both.
        Same = "same",
        /// It stood in the earlier one.
        Removed = "removed",
        /// It stands in the later one.
        Added = "added",
    }
}

/// A piece of a text; all in order are the earlier text and the later one in each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Piece {
    /// What has become of it.
    pub fate: Fate,
    /// What it says.
    pub text: String,
}

/// So much work may be spent on one comparison, in steps; what would take more is not taken apart. The
/// work of comparing is the square of the lengths where nothing agrees.
#[derive(Debug)]
pub struct Work(usize);

impl Default for Work {
    fn default() -> Self {
        Self(16_000_000)
    }
}

impl Work {
    fn takes(&mut self, lengths: usize) -> bool {
        let left = lengths.checked_mul(lengths).and_then(|steps| self.0.checked_sub(steps));
        left.map(|left| self.0 = left).is_some()
    }
}

/// What has changed from one text to another: lines first, then words in what is left of them.
pub fn compare(was: &str, is: &str, work: &mut Work) -> Vec<Piece> {
    let lines = |text| -> Vec<&str> { str::split_inclusive(text, '\n').collect() };
    let mut pieces = Vec::new();
    each(&lines(was), &lines(is), work, |old, new, work| {
        if old == new {
            push(&mut pieces, Fate::Same, &old.concat());
            return;
        }
        let (old, new) = (old.concat(), new.concat());
        let words = |text| -> Vec<&str> { str::split_word_bounds(text).collect() };
        each(&words(&old), &words(&new), work, |old, new, _work| {
            if old == new {
                push(&mut pieces, Fate::Same, &old.concat());
            } else {
                push(&mut pieces, Fate::Removed, &old.concat());
                push(&mut pieces, Fate::Added, &new.concat());
            }
        });
    });
    pieces
}

fn push(pieces: &mut Vec<Piece>, fate: Fate, text: &str) {
    match pieces.last_mut() {
        Some(last) if last.fate == fate => last.text.push_str(text),
        Some(_) | None if text.is_empty() => {}
        Some(_) | None => pieces.push(Piece { fate, text: text.to_owned() }),
    }
}

/// Hands on each stretch that is the same in both, and each that is not, in order.
fn each<'a, T: Eq + Hash>(
    was: &'a [T],
    is: &'a [T],
    work: &mut Work,
    mut tell: impl FnMut(&'a [T], &'a [T], &mut Work),
) {
    let same = |pair: &(&T, &T)| pair.0 == pair.1;
    let head = was.iter().zip(is).take_while(same).count();
    let (start, was) = was.split_at(head);
    let (_, is) = is.split_at(head);
    let tail = was.iter().rev().zip(is.iter().rev()).take_while(same).count();
    let (was, end) = was.split_at(was.len() - tail);
    let (is, _) = is.split_at(is.len() - tail);
    tell(start, start, work);
    if work.takes(was.len() + is.len()) {
        for op in capture_diff_slices(Algorithm::Myers, was, is) {
            let (old, new) = (op.old_range(), op.new_range());
            let (old, new) = (was.get(old).unwrap_or_default(), is.get(new).unwrap_or_default());
            tell(old, new, work);
        }
    } else {
        tell(was, is, work);
    }
    tell(end, end, work);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(was: &str, is: &str) -> String {
        let pieces = compare(was, is, &mut Work::default());
        let back = |without: Fate| -> String {
            let kept = pieces.iter().filter(|one| one.fate != without);
            kept.map(|one| one.text.as_str()).collect()
        };
        assert_eq!((back(Fate::Added).as_str(), back(Fate::Removed).as_str()), (was, is));
        let one = |piece: &Piece| match piece.fate {
            Fate::Same => piece.text.clone(),
            Fate::Removed => format!("[-{}]", piece.text),
            Fate::Added => format!("[+{}]", piece.text),
        };
        pieces.iter().map(one).collect()
    }

    #[test]
    fn words_are_compared_and_signs_where_there_are_no_blanks() {
        assert_eq!(told("", ""), "");
        assert_eq!(told("Quốc khánh 2/9", "Quốc khánh 3/9"), "Quốc khánh [-2][+3]/9");
        assert_eq!(told("越南外交部发言人", "越南国防部发言人"), "越南[-外交][+国防]部发言人");
        assert_eq!(told("ประเทศไทย", "ประเทศลาว").matches("[-").count(), 1);
        // A sign with its marks is one.
        assert_eq!(told("ខ្មែរ", "ខ្មែ").matches("[-").count(), 1);
        assert_eq!(told("a\nb c\nd", "a\nb e\nd\nf"), "a\nb [-c][+e]\nd[+\nf]");
    }

    #[test]
    fn what_would_take_long_is_not_taken_apart() {
        let many = |word: &str, between: &str| {
            let words = (0..50_000).map(|it| format!("{word}{it}"));
            words.collect::<Vec<_>>().join(between)
        };
        let mut work = Work::default();
        for between in [" ", "\n"] {
            let pieces = compare(&many("a", between), &many("b", between), &mut work);
            assert_eq!(pieces.len(), 2, "{between:?}");
        }
    }
}
