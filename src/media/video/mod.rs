//! What the container of a video tells, without unpacking a picture: the boxes that are needed have
//! fixed places, so nothing that a file says makes this read deeper, longer or more.

mod boxes;
mod quiet;
#[cfg(test)]
mod tests;

use std::io::{Read, Seek};

use super::inspect::Unfit;
use crate::domain::media::{MediaFacts, MediaKind, VideoFacts};
use boxes::{Kind, inside, only};
pub(super) use quiet::{Blank, blanks};

/// The tables of a film of hours are some megabytes; more is no film.
const LARGEST_INDEX: u64 = 32 << 20;
/// Pictures, sound, subtitles, time codes: more tracks than any camera writes.
const MOST_TRACKS: usize = 32;
/// Wider or higher than any picture that is filmed.
const LARGEST_SIDE: u32 = 16_384;
/// Longer than anything that is published.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1_000;

/// The type of an ISO base media file that can be a video, by its first bytes: `ftyp` and the brand.
/// Pictures in such files (HEIC, AVIF) and sound alone are something else.
pub(super) fn mime(head: &[u8]) -> Option<&'static str> {
    let (kind, brand) = (head.get(4..8)?, head.get(8..12)?);
    match (kind, brand) {
        (b"ftyp", b"qt  ") => Some("video/quicktime"),
        (
            b"ftyp",
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" | b"avif"
            | b"avis" | b"crx " | b"jp2 " | b"jpx " | b"jpm " | b"jxl " | b"M4A " | b"M4B "
            | b"M4P ",
        ) => None,
        (b"ftyp", _) => Some("video/mp4"),
        (_, _) => None,
    }
}

/// What a video is.
pub(super) fn inspect(
    file: &mut (impl Read + Seek),
    size: u64,
    mime: &str,
) -> Result<MediaFacts, Unfit> {
    let places = boxes::places(file, size)?;
    let of = |kind: Kind| places.iter().filter(move |place| place.kind == kind);
    if of(*b"moof").next().is_some() {
        return Err(Unfit::Fragmented);
    }
    let (Some(index), None) = (of(*b"moov").next(), of(*b"moov").nth(1)) else {
        return Err(Unfit::Damaged);
    };
    let data = of(*b"mdat").next().ok_or(Unfit::Damaged)?;
    let bytes = boxes::read(file, index, LARGEST_INDEX)?;
    let read = Film::read(&bytes, size)?;
    let (width, height) = read.picture.size;
    Ok(MediaFacts {
        kind: MediaKind::Video,
        mime: mime.to_owned(),
        width: Some(width),
        height: Some(height),
        duration_ms: Some(read.duration_ms),
        video: Some(VideoFacts {
            codec: read.picture.codec,
            audio_codec: read.audio_codec,
            frames_per_1000_s: read.picture.frames_per_1000_s,
            starts_at_once: index.from < data.from,
        }),
    })
}

/// What the index (`moov`) says.
struct Film {
    duration_ms: u64,
    picture: Picture,
    audio_codec: Option<String>,
}

/// The track of pictures.
struct Picture {
    size: (u32, u32),
    codec: String,
    frames_per_1000_s: Option<u32>,
}

impl Film {
    fn read(index: &[u8], file_size: u64) -> Result<Self, Unfit> {
        let header = only(index, *b"mvhd")?.ok_or(Unfit::Damaged)?;
        let duration_ms = duration(header)?;
        let (mut picture, mut audio_codec) = (None, None);
        let mut tracks = 0;
        for held in inside(index) {
            let held = held?;
            match &held.kind {
                b"mvex" => return Err(Unfit::Fragmented),
                b"trak" => {}
                _ => continue,
            }
            tracks += 1;
            if tracks > MOST_TRACKS {
                return Err(Unfit::Damaged);
            }
            let track = Track::read(held.body)?;
            track.lies_inside(file_size)?;
            match &track.handler {
                b"vide" if picture.is_none() => picture = Some(track.picture()?),
                b"soun" if audio_codec.is_none() => audio_codec = Some(track.codec()?.0),
                _ => {}
            }
        }
        Ok(Self { duration_ms, picture: picture.ok_or(Unfit::NoPictures)?, audio_codec })
    }
}

/// How long the film is, by `mvhd`; the same layout as `mdhd`.
fn duration(header: &[u8]) -> Result<u64, Unfit> {
    let (scale, length) = time(header)?;
    let millis = u128::from(length) * 1_000 / u128::from(scale);
    match u64::try_from(millis) {
        Ok(0) | Err(_) => Err(Unfit::Damaged),
        Ok(millis) if millis > LONGEST_MS => Err(Unfit::Damaged),
        Ok(millis) => Ok(millis),
    }
}

/// Units in a second, and how many units.
fn time(header: &[u8]) -> Result<(u32, u64), Unfit> {
    let (scale, length) = match header.first() {
        Some(0) => (number(header, 12)?, u64::from(number(header, 16)?)),
        Some(1) => {
            let high = u64::from(number(header, 24)?);
            (number(header, 20)?, (high << 32) | u64::from(number(header, 28)?))
        }
        Some(_) | None => return Err(Unfit::Damaged),
    };
    if scale == 0 { Err(Unfit::Damaged) } else { Ok((scale, length)) }
}

/// Four bytes as a number.
fn number(bytes: &[u8], at: usize) -> Result<u32, Unfit> {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk());
    four.map(|four| u32::from_be_bytes(*four)).ok_or(Unfit::Damaged)
}

/// The boxes of one track.
struct Track<'a> {
    handler: Kind,
    header: &'a [u8],
    media_header: &'a [u8],
    /// `stbl`: which samples there are, and where.
    samples: &'a [u8],
}

impl<'a> Track<'a> {
    fn read(track: &'a [u8]) -> Result<Self, Unfit> {
        let needed = |bytes, kind| only(bytes, kind)?.ok_or(Unfit::Damaged);
        let media = needed(track, *b"mdia")?;
        let handler = needed(media, *b"hdlr")?;
        Ok(Self {
            handler: handler
                .get(8..)
                .and_then(|it| it.first_chunk())
                .copied()
                .ok_or(Unfit::Damaged)?,
            header: needed(track, *b"tkhd")?,
            media_header: needed(media, *b"mdhd")?,
            samples: needed(needed(media, *b"minf")?, *b"stbl")?,
        })
    }

    /// The four letters of the first description of samples, and its bytes.
    fn codec(&self) -> Result<(String, &'a [u8]), Unfit> {
        let table = only(self.samples, *b"stsd")?.ok_or(Unfit::Damaged)?;
        let entry =
            inside(table.get(8..).ok_or(Unfit::Damaged)?).next().ok_or(Unfit::Damaged)??;
        if matches!(&entry.kind, b"encv" | b"enca" | b"drmi") {
            return Err(Unfit::Protected);
        }
        let plain = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b' ' | b'-' | b'.' | b'_');
        if !entry.kind.iter().all(plain) {
            return Err(Unfit::Damaged);
        }
        let word = String::from_utf8_lossy(&entry.kind).trim_end().to_owned();
        Ok((word, entry.body))
    }

    fn picture(&self) -> Result<Picture, Unfit> {
        let (codec, entry) = self.codec()?;
        Ok(Picture { size: self.size(entry)?, codec, frames_per_1000_s: self.frame_rate()? })
    }

    /// Width and height as they are shown: the header's, turned as its matrix says; by the
    /// description of samples where the header has none.
    fn size(&self, entry: &[u8]) -> Result<(u32, u32), Unfit> {
        let matrix = match self.header.first() {
            Some(0) => 40,
            Some(1) => 52,
            Some(_) | None => return Err(Unfit::Damaged),
        };
        let header = self.header;
        let mut size = (number(header, matrix + 36)? >> 16, number(header, matrix + 40)? >> 16);
        if size.0 == 0 || size.1 == 0 {
            let both = number(entry, 24)?;
            size = (both >> 16, both & 0xffff);
        }
        let straight = number(header, matrix)? != 0 || number(header, matrix + 16)? != 0;
        let (width, height) = if straight { size } else { (size.1, size.0) };
        let possible = |side| (1..=LARGEST_SIDE).contains(&side);
        if possible(width) && possible(height) { Ok((width, height)) } else { Err(Unfit::Damaged) }
    }

    /// Pictures in a thousand seconds, in the mean.
    fn frame_rate(&self) -> Result<Option<u32>, Unfit> {
        let (scale, _) = time(self.media_header)?;
        let table = only(self.samples, *b"stts")?.ok_or(Unfit::Damaged)?;
        let (mut frames, mut units) = (0_u128, 0_u128);
        for entry in entries::<8>(table)? {
            let count = u128::from(number(entry, 0)?);
            frames += count;
            units += count * u128::from(number(entry, 4)?);
        }
        if frames == 0 {
            return Err(Unfit::NoPictures);
        }
        let rate = (frames * 1_000 * u128::from(scale)).checked_div(units);
        Ok(rate.and_then(|rate| u32::try_from(rate).ok()))
    }

    /// Every piece of the track begins inside of the file.
    fn lies_inside(&self, file_size: u64) -> Result<(), Unfit> {
        if let Some(table) = only(self.samples, *b"stco")? {
            for entry in entries::<4>(table)? {
                if u64::from(number(entry, 0)?) >= file_size {
                    return Err(Unfit::Damaged);
                }
            }
        }
        if let Some(table) = only(self.samples, *b"co64")? {
            for entry in entries::<8>(table)? {
                let place = (u64::from(number(entry, 0)?) << 32) | u64::from(number(entry, 4)?);
                if place >= file_size {
                    return Err(Unfit::Damaged);
                }
            }
        }
        Ok(())
    }
}

/// The entries of a table that says how many there are, each of `N` bytes.
fn entries<const N: usize>(table: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Unfit> {
    let count = usize::try_from(number(table, 4)?).map_err(|_large| Unfit::Damaged)?;
    let length = count.checked_mul(N).ok_or(Unfit::Damaged)?;
    let bytes = table.get(8..).and_then(|rest| rest.get(..length)).ok_or(Unfit::Damaged)?;
    Ok(bytes.chunks_exact(N))
}
