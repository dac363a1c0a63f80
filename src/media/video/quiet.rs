//! What a film says beside its pictures and its sound: where it was taken, by whom and with what. It is made
//! blank without moving a byte, so that every table of the film still leads to the same places.

use std::io::{Read, Seek};
use std::ops::Range;

use super::LARGEST_INDEX;
use super::boxes::{self, Kind, inside};
use crate::media::inspect::Unfit;

/// A box that leaves as free space: its four letters, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::media) struct Blank {
    /// Where its four letters stand.
    kind: u64,
    /// What is in it, to leave as zeros.
    body: Range<u64>,
}

/// What replaces the letters of such a box.
const FREE: Kind = *b"free";

/// Whether a box of this kind only tells about the film. Free space may hold what was deleted.
fn tells(kind: Kind) -> bool {
    matches!(&kind, b"udta" | b"meta" | b"uuid" | b"free" | b"skip" | b"wide")
}

/// Every box of a film that is to leave as free space: outermost ones, those of the index, and those of each of
/// its tracks.
pub(in crate::media) fn blanks(
    file: &mut (impl Read + Seek),
    size: u64,
) -> Result<Vec<Blank>, Unfit> {
    let mut found = Vec::new();
    for place in boxes::places(file, size)? {
        if tells(place.kind) {
            found.push(Blank { kind: place.from + 4, body: place.body..place.until });
        } else if place.kind == *b"moov" {
            let bytes = boxes::read(file, &place, LARGEST_INDEX)?;
            inner(&bytes, place.body, true, &mut found)?;
        }
    }
    Ok(found)
}

/// The boxes inside of `bytes`, which stand at `from` in the file; those of tracks too, and no deeper.
fn inner(bytes: &[u8], from: u64, tracks: bool, found: &mut Vec<Blank>) -> Result<(), Unfit> {
    let mut walk = inside(bytes);
    let whole = bytes.len();
    loop {
        let start = from + (whole - walk.left()) as u64;
        let Some(held) = walk.next() else { return Ok(()) };
        let held = held?;
        let end = from + (whole - walk.left()) as u64;
        let body = end - held.body.len() as u64;
        if tells(held.kind) {
            found.push(Blank { kind: start + 4, body: body..end });
        } else if tracks && held.kind == *b"trak" {
            inner(held.body, body, false, found)?;
        }
    }
}

impl Blank {
    /// Makes what of it lies in `bytes`, which stand at `from` in the file, as it leaves.
    pub(in crate::media) fn apply(&self, bytes: &mut [u8], from: u64) {
        let until = from + bytes.len() as u64;
        let mut set = |at: u64, value: u8| {
            if (from..until).contains(&at)
                && let Some(byte) = usize::try_from(at - from).ok().and_then(|at| bytes.get_mut(at))
            {
                *byte = value;
            }
        };
        for (at, letter) in (self.kind..).zip(FREE) {
            set(at, letter);
        }
        for at in self.body.start.max(from)..self.body.end.min(until) {
            set(at, 0);
        }
    }
}
