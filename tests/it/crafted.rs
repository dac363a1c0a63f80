//! Pictures with things in them that are no picture: made part by part, so that each is where it hurts.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// What must never leave; each place that can hold a text gets its own.
pub(crate) const CANARY: &str = "LEAK-21.0278N-105.8342E";

/// A smooth picture of this size, left half red and right half blue.
pub(crate) fn picture(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, _| {
        if x < width / 2 { Rgb([200, 30, 30]) } else { Rgb([30, 30, 200]) }
    })
    .into()
}

pub(crate) fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A segment of a JPEG.
pub(crate) fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap();
    [&[0xff, marker][..], &length.to_be_bytes(), body].concat()
}

/// A JPEG with these segments right behind its start.
pub(crate) fn jpeg_with(jpeg: &[u8], segments: &[Vec<u8>]) -> Vec<u8> {
    [&jpeg[..2], &segments.concat(), &jpeg[2..]].concat()
}

/// TIFF as in EXIF: how the picture is turned, and who made it where.
pub(crate) fn exif(orientation: u8) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        let tag = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        [tag, count.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat()
    };
    let text = format!("{CANARY}-exif\0");
    let length = u32::try_from(text.len()).unwrap();
    // Eight bytes of head, four entries of twelve with their count and end, then a place and a text.
    let after = 8 + 2 + 3 * 12 + 4;
    let place = [entry(1, 2, 2, u32::from(b'N')), entry(2, 2, length, after + 30)].concat();
    [
        b"II*\0\x08\0\0\0".to_vec(),
        3_u16.to_le_bytes().to_vec(),
        entry(0x0112, 3, 1, u32::from(orientation)),
        entry(0x010f, 2, length, after + 30),
        entry(0x8825, 4, 1, after),
        0_u32.to_le_bytes().to_vec(),
        2_u16.to_le_bytes().to_vec(),
        place,
        0_u32.to_le_bytes().to_vec(),
        text.into_bytes(),
    ]
    .concat()
}

fn xmp() -> Vec<u8> {
    format!("<x:xmpmeta><exif:GPSLatitude>{CANARY}-xmp</exif:GPSLatitude></x:xmpmeta>").into_bytes()
}

/// A JPEG with everything that cameras, editors and people put into one.
pub(crate) fn talkative_jpeg(width: u32, height: u32, orientation: u8) -> Vec<u8> {
    let plain = encoded(&picture(width, height), ImageFormat::Jpeg);
    let named = |name: &[u8], body: &[u8]| [name, body].concat();
    let maker = format!("MakerNote {CANARY}-maker");
    let iptc = format!("8BIM\x04\x04\0\0\0\0\0\x40\x1c\x02\x5a\0\x20{CANARY}-iptc");
    let segments = [
        segment(0xe1, &named(b"Exif\0\0", &exif(orientation))),
        segment(0xe1, &named(b"http://ns.adobe.com/xap/1.0/\0", &xmp())),
        segment(0xed, &named(b"Photoshop 3.0\0", iptc.as_bytes())),
        segment(0xe5, maker.as_bytes()),
        segment(0xfe, format!("a comment {CANARY}-comment").as_bytes()),
    ];
    let mut bytes = jpeg_with(&plain, &segments);
    // What cameras append: the whole picture once more, before it was cropped.
    bytes.extend(encoded(&picture(width * 2, height * 2), ImageFormat::Jpeg));
    bytes.extend(format!("{CANARY}-tail").bytes());
    bytes
}

/// A chunk of a PNG.
pub(crate) fn chunk(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let sum = crc32fast::hash(&[kind, body].concat());
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_be_bytes()[..], kind, body, &sum.to_be_bytes()].concat()
}

/// A PNG with these chunks right behind its header.
pub(crate) fn png_with(png: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
    [&png[..33], &chunks.concat(), &png[33..]].concat()
}

pub(crate) fn talkative_png(picture: &DynamicImage) -> Vec<u8> {
    let text = |kind: &str| format!("Comment\0{CANARY}-{kind}").into_bytes();
    let international = format!("XML:com.adobe.xmp\0\0\0\0\0{CANARY}-itxt").into_bytes();
    let chunks = [
        chunk(b"tEXt", &text("text")),
        chunk(b"iTXt", &international),
        chunk(b"eXIf", &exif(1)),
        chunk(b"prVt", &text("private")),
    ];
    let mut bytes = png_with(&encoded(picture, ImageFormat::Png), &chunks);
    bytes.extend(format!("PK\x03\x04 {CANARY}-tail").bytes());
    bytes
}

/// A chunk of a RIFF.
pub(crate) fn riff(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    let pad = vec![0; body.len() % 2];
    [kind, &length.to_le_bytes(), body, &pad].concat()
}

/// A WebP with these chunks behind its picture.
pub(crate) fn webp_with(plain: &[u8], width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let side = |pixels: u32| (pixels - 1).to_le_bytes()[..3].to_vec();
    let head = [vec![0x0c, 0, 0, 0], side(width), side(height)].concat();
    let body = [&b"WEBP"[..], &riff(b"VP8X", &head), &plain[12..], &chunks.concat()].concat();
    riff(b"RIFF", &body)
}

pub(crate) fn talkative_webp(width: u32, height: u32) -> Vec<u8> {
    let plain = encoded(&picture(width, height), ImageFormat::WebP);
    let chunks = [riff(b"EXIF", &exif(1)), riff(b"XMP ", &xmp())];
    webp_with(&plain, width, height, &chunks)
}

pub(crate) fn talkative_gif(width: u32, height: u32) -> Vec<u8> {
    let plain = encoded(&picture(width, height), ImageFormat::Gif);
    // Behind the header and its table of colours, which this encoder leaves out.
    let table = if plain[10] & 0x80 == 0 { 0 } else { 3 << ((plain[10] & 7) + 1) };
    let text = format!("{CANARY}-gif");
    let length = u8::try_from(text.len()).unwrap();
    let comment = [&[0x21, 0xfe, length][..], text.as_bytes(), &[0]].concat();
    [&plain[..13 + table], &comment, &plain[13 + table..]].concat()
}
