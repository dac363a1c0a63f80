//! The boxes of an ISO base media file (ISO/IEC 14496-12): each says how long it is, what it is, and
//! holds the rest.

use std::io::{self, Read, Seek, SeekFrom};

use crate::media::inspect::Unfit;

/// What a box is: four letters.
pub(super) type Kind = [u8; 4];

/// A box whose bytes are held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// What is in it.
    pub(super) body: &'a [u8],
}

/// The boxes inside of these bytes, in order; ends with the first that cannot be one.
#[derive(Debug, Clone)]
pub(super) struct Inside<'a> {
    rest: &'a [u8],
}

impl Inside<'_> {
    /// How many bytes have not been looked at.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }
}

/// The boxes inside of `bytes`.
pub(super) fn inside(bytes: &[u8]) -> Inside<'_> {
    Inside { rest: bytes }
}

impl<'a> Iterator for Inside<'a> {
    type Item = Result<Held<'a>, Unfit>;

    fn next(&mut self) -> Option<Self::Item> {
        // QuickTime ends some lists of boxes with four zeros.
        if self.rest.is_empty() || (self.rest.len() < 8 && self.rest.iter().all(|it| *it == 0)) {
            return None;
        }
        let taken = take(self.rest);
        self.rest = taken.map_or(&[], |(_, rest)| rest);
        Some(taken.map(|(held, _)| held).ok_or(Unfit::Damaged))
    }
}

/// The first box, and what is behind it. A box is never shorter than its own head, so whoever walks
/// through boxes comes to an end.
fn take(bytes: &[u8]) -> Option<(Held<'_>, &[u8])> {
    let head = Head::read(bytes)?;
    let whole = head.size.unwrap_or(bytes.len() as u64);
    let (this, rest) = bytes.split_at_checked(usize::try_from(whole).ok()?)?;
    Some((Held { kind: head.kind, body: this.get(head.length..)? }, rest))
}

/// The only box of this kind inside of `bytes`.
pub(super) fn only(bytes: &[u8], kind: Kind) -> Result<Option<&[u8]>, Unfit> {
    let mut found = None;
    for held in inside(bytes) {
        let held = held?;
        if held.kind == kind && found.replace(held.body).is_some() {
            return Err(Unfit::Damaged);
        }
    }
    Ok(found)
}

/// How a box begins.
#[derive(Debug, Clone, Copy)]
struct Head {
    kind: Kind,
    /// `None`: to the end.
    size: Option<u64>,
    length: usize,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let kind = *bytes.get(4..)?.first_chunk()?;
        let (size, length) = match u32::from_be_bytes(*bytes.first_chunk()?) {
            0 => (None, 8),
            1 => (Some(u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?)), 16),
            size => (Some(u64::from(size)), 8),
        };
        size.is_none_or(|size| size >= length as u64).then_some(Self { kind, size, length })
    }
}

/// A box of a file: where it is, not what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// What it is.
    pub(super) kind: Kind,
    /// Where it begins, its head included.
    pub(super) from: u64,
    /// Where what is in it begins.
    pub(super) body: u64,
    /// Where it ends.
    pub(super) until: u64,
}

/// More than any film has that is not cut into fragments.
const MOST_PLACES: usize = 1_000;

/// The outermost boxes of a file. What is behind the last one would be damage, or another file hidden
/// behind this one.
pub(super) fn places(file: &mut (impl Read + Seek), size: u64) -> Result<Vec<Place>, Unfit> {
    let mut places = Vec::new();
    let mut from = 0;
    while from < size {
        let mut bytes = [0; 16];
        let there = usize::try_from(size - from).unwrap_or(usize::MAX).min(bytes.len());
        let start = bytes.get_mut(..there).ok_or(Unfit::Damaged)?;
        file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(start)).map_err(unread)?;
        let head = Head::read(start).ok_or(Unfit::Damaged)?;
        let until = head.size.map_or(Some(size), |length| from.checked_add(length));
        let until = until.filter(|until| *until <= size).ok_or(Unfit::Damaged)?;
        places.push(Place { kind: head.kind, from, body: from + head.length as u64, until });
        if places.len() > MOST_PLACES {
            return Err(Unfit::Fragmented);
        }
        from = until;
    }
    Ok(places)
}

/// The bytes of a box that may be read at once.
pub(super) fn read(
    file: &mut (impl Read + Seek),
    place: &Place,
    most: u64,
) -> Result<Vec<u8>, Unfit> {
    let length = place.until.saturating_sub(place.body);
    if length > most {
        return Err(Unfit::Damaged);
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(|_large| Unfit::Damaged)?];
    file.seek(SeekFrom::Start(place.body))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(unread)?;
    Ok(bytes)
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn unread(error: io::Error) -> Unfit {
    Unfit::Unread(error.kind())
}
