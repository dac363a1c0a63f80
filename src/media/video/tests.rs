//! Films made box by box, so that each lie can be told.

use std::io::Cursor;

use super::*;

/// A box.
fn boxed(kind: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind.as_bytes(), &body].concat()
}

fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|it| it.to_be_bytes()).collect()
}

/// What a film is made of.
#[derive(Clone)]
struct Reel {
    matrix: [u32; 9],
    size: (u32, u32),
    duration: u32,
    codec: &'static str,
    handler: &'static str,
    sound: Option<&'static str>,
    places: Vec<u32>,
    times: Vec<u8>,
    index_first: bool,
}

const STRAIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
const TURNED: [u32; 9] = [0, 0x1_0000, 0, 0xffff_0000, 0, 0, 0, 0, 0x4000_0000];

impl Default for Reel {
    fn default() -> Self {
        Self {
            matrix: STRAIGHT,
            size: (1920, 1080),
            duration: 10_000,
            codec: "avc1",
            handler: "vide",
            sound: Some("mp4a"),
            places: vec![40],
            // 300 pictures of 1001 units of a 30,000th of a second.
            times: numbers(&[0, 1, 300, 1001]),
            index_first: true,
        }
    }
}

impl Reel {
    fn track(&self, handler: &str, codec: &str) -> Vec<u8> {
        let mut header = numbers(&[3, 0, 0, 1, 0, self.duration, 0, 0, 0, 0]);
        header.extend(numbers(&self.matrix));
        header.extend(numbers(&[self.size.0 << 16, self.size.1 << 16]));
        let entry = boxed(codec, &[vec![0; 24], numbers(&[0x0280_01e0]), vec![0; 50]]);
        let places: Vec<u32> =
            [&[0, u32::try_from(self.places.len()).unwrap()], &self.places[..]].concat();
        let table = boxed(
            "stbl",
            &[
                boxed("stsd", &[numbers(&[0, 1]), entry]),
                boxed("stts", std::slice::from_ref(&self.times)),
                boxed("stco", &[numbers(&places)]),
            ],
        );
        let media = boxed(
            "mdia",
            &[
                boxed("mdhd", &[numbers(&[0, 0, 0, 30_000, 300_300, 0])]),
                boxed("hdlr", &[numbers(&[0, 0]), handler.into(), vec![0; 13]]),
                boxed("minf", &[table]),
            ],
        );
        boxed("trak", &[boxed("tkhd", &[header]), media])
    }

    fn index(&self) -> Vec<u8> {
        let header = boxed("mvhd", &[numbers(&[0, 0, 0, 1_000, self.duration]), vec![0; 80]]);
        let mut tracks = vec![header, self.track(self.handler, self.codec)];
        tracks.extend(self.sound.map(|codec| self.track("soun", codec)));
        boxed("moov", &tracks)
    }

    fn film(&self) -> Vec<u8> {
        let kind = boxed("ftyp", &[b"isom\0\0\x02\0isomiso2avc1mp41".to_vec()]);
        let data = boxed("mdat", &[vec![7; 400]]);
        let parts =
            if self.index_first { [kind, self.index(), data] } else { [kind, data, self.index()] };
        parts.concat()
    }
}

fn look(bytes: &[u8]) -> Result<MediaFacts, Unfit> {
    let kind = mime(bytes).ok_or(Unfit::Empty)?;
    inspect(&mut Cursor::new(bytes), bytes.len() as u64, kind)
}

fn of(reel: &Reel) -> Result<MediaFacts, Unfit> {
    look(&reel.film())
}

#[test]
fn a_film_says_what_it_is() {
    let facts = of(&Reel::default()).unwrap();
    assert_eq!((facts.kind, facts.mime.as_str()), (MediaKind::Video, "video/mp4"));
    assert_eq!(
        (facts.width, facts.height, facts.duration_ms),
        (Some(1920), Some(1080), Some(10_000))
    );
    let video = facts.video.unwrap();
    assert_eq!((video.codec.as_str(), video.audio_codec.as_deref()), ("avc1", Some("mp4a")));
    assert_eq!((video.frames_per_1000_s, video.starts_at_once), (Some(29_970), true));

    let other = Reel { matrix: TURNED, sound: None, index_first: false, ..Reel::default() };
    let facts = of(&other).unwrap();
    assert_eq!((facts.width, facts.height), (Some(1080), Some(1920)));
    let video = facts.video.unwrap();
    assert_eq!((video.audio_codec, video.starts_at_once), (None, false));

    // Without a size of its own the track has that of its description.
    let facts = of(&Reel { size: (0, 0), ..Reel::default() }).unwrap();
    assert_eq!((facts.width, facts.height), (Some(640), Some(480)));
}

#[test]
fn a_film_that_is_cut_off_anywhere_is_refused() {
    for reel in [Reel::default(), Reel { index_first: false, ..Reel::default() }] {
        let film = reel.film();
        for end in 12..film.len() {
            assert!(look(&film[..end]).is_err(), "{end} of {}", film.len());
        }
    }
}

#[test]
fn what_is_no_film_is_told_apart() {
    assert_eq!(of(&Reel { handler: "soun", ..Reel::default() }), Err(Unfit::NoPictures));
    assert_eq!(of(&Reel { times: numbers(&[0, 0]), ..Reel::default() }), Err(Unfit::NoPictures));
    assert_eq!(of(&Reel { codec: "encv", ..Reel::default() }), Err(Unfit::Protected));
    let mut pieces = Reel::default().film();
    pieces.extend(boxed("moof", &[]));
    assert_eq!(look(&pieces), Err(Unfit::Fragmented));
    for brand in ["heic", "avif", "M4A "] {
        let still = boxed("ftyp", &[brand.into(), vec![0; 4]]);
        assert_eq!(mime(&still), None, "{brand}");
    }
    assert_eq!(mime(&boxed("ftyp", &["qt  ".into(), vec![0; 4]])), Some("video/quicktime"));
}

#[test]
fn lies_are_refused_and_cost_nothing() {
    let broken = [
        Reel { duration: 0, ..Reel::default() },
        Reel { duration: u32::MAX, ..Reel::default() },
        Reel { size: (16_385, 10), ..Reel::default() },
        Reel { codec: "a\0b\n", ..Reel::default() },
        // A piece behind the end of the file.
        Reel { places: vec![40, 1 << 30], ..Reel::default() },
        // Four thousand million entries in a table of one.
        Reel { times: numbers(&[0, u32::MAX, 300, 1001]), ..Reel::default() },
    ];
    for (number, reel) in broken.iter().enumerate() {
        assert_eq!(of(reel), Err(Unfit::Damaged), "{number}");
    }
}

#[test]
fn sizes_of_boxes_that_cannot_be_are_refused() {
    let film = Reel::default().film();
    let head = boxed("ftyp", &[b"isom\0\0\0\0".to_vec()]);
    // Smaller than its own head, larger than the file, so large that it overflows.
    for size in [2_u32, 7, 4_000, u32::MAX] {
        let lie = [&head[..], &size.to_be_bytes(), b"free", &film].concat();
        assert_eq!(look(&lie), Err(Unfit::Damaged), "{size}");
    }
    for size in [0_u64, 15, u64::MAX, u64::MAX - 20, 1 << 63] {
        let lie = [&head[..], &1_u32.to_be_bytes(), b"free", &size.to_be_bytes(), &film].concat();
        assert_eq!(look(&lie), Err(Unfit::Damaged), "{size}");
    }
    // Boxes that say that they are empty, for ever.
    let inner = [0_u32.to_be_bytes(), *b"free"].concat().repeat(10_000);
    let lie = [head.clone(), boxed("moov", &[inner]), boxed("mdat", &[vec![1; 9]])].concat();
    assert_eq!(look(&lie), Err(Unfit::Damaged));
    // Thousands of films in one another.
    let nested = (0..4_000).fold(Vec::new(), |inner, _| boxed("moov", &[inner]));
    let lie = [head.clone(), nested, boxed("mdat", &[vec![1; 9]])].concat();
    assert_eq!(look(&lie), Err(Unfit::Damaged));
    // More boxes than a film has.
    let lie = [head, boxed("free", &[]).repeat(2_000), film].concat();
    assert_eq!(look(&lie), Err(Unfit::Fragmented));
}

#[test]
fn another_file_behind_a_film_is_refused() {
    for tail in [&b"PK\x03\x04and so on, a whole archive"[..], b"<script>alert(1)</script>", b"x"] {
        let film = [&Reel::default().film()[..], tail].concat();
        assert_eq!(look(&film), Err(Unfit::Damaged));
    }
    let two = Reel::default().film().repeat(2);
    assert_eq!(look(&two), Err(Unfit::Damaged));
}

/// Nothing that comes in makes this panic or run on.
#[test]
fn any_byte_may_be_anything() {
    let film = Reel::default().film();
    for place in 0..film.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = film.clone();
            changed[place] = value;
            let _either = look(&changed);
        }
    }
}

/// A film that tells where it was taken, at every place where one can.
fn talkative(size: usize) -> Vec<u8> {
    let said = || vec![b"LEAK+21.0285+105.8542/".to_vec()];
    let place = || boxed("udta", &[boxed("xyz ", &said())]);
    let reel = Reel::default();
    let track = reel.track("vide", "avc1");
    let track = boxed("trak", &[track[8..].to_vec(), place(), boxed("meta", &said())]);
    let header = boxed("mvhd", &[numbers(&[0, 0, 0, 1_000, 10_000]), vec![0; 80]]);
    let parts = [
        boxed("ftyp", &[b"isom\0\0\x02\0isomiso2avc1mp41".to_vec()]),
        boxed("uuid", &said()),
        boxed("moov", &[header, track, place(), boxed("free", &said())]),
        boxed("mdat", &[vec![7; size]]),
        boxed("meta", &said()),
    ];
    parts.concat()
}

#[test]
fn what_a_film_says_of_itself_becomes_free_space_where_it_stands() {
    let bytes = talkative(500);
    let found = blanks(&mut Cursor::new(&bytes), bytes.len() as u64).unwrap();
    assert_eq!(found.len(), 6);
    let mut whole = bytes.clone();
    for blank in &found {
        blank.apply(&mut whole, 0);
    }
    let count = |bytes: &[u8], word: &[u8]| bytes.windows(4).filter(|it| *it == word).count();
    assert_eq!((count(&bytes, b"LEAK"), count(&whole, b"LEAK")), (6, 0));
    for kind in [b"udta", b"meta", b"uuid", b"xyz "] {
        assert_eq!(count(&whole, kind), 0);
    }
    assert_eq!((whole.len(), look(&whole)), (bytes.len(), look(&bytes)));
    // Whatever is read at a time, the same bytes leave.
    for step in [1, 3, 7, 64, 999] {
        let mut parts = Vec::new();
        for (number, part) in bytes.chunks(step).enumerate() {
            let mut part = part.to_vec();
            for blank in &found {
                blank.apply(&mut part, (number * step) as u64);
            }
            parts.extend(part);
        }
        assert_eq!(parts, whole, "{step}");
    }
    let plain = Reel::default().film();
    assert_eq!(blanks(&mut Cursor::new(&plain), plain.len() as u64).unwrap(), []);
}
