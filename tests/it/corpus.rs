//! Files that are made to harm: each is refused with a problem that says why, or taken and harmless,
//! because nothing but its points ever leaves. Memory stays bounded, and nothing stays on the disk.

use std::io::Write as _;

use chancery::media::{Recipe, render};
use image::ImageFormat;

use crate::crafted::{
    CANARY, chunk, encoded, exif, jpeg_with, picture, png_with, riff, segment, talkative_webp,
    webp_with,
};
use crate::media::{boxed, film, numbers, png};
use crate::world::World;

/// What must become of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Refused with this code.
    Refused(&'static str),
    /// Taken; what leaves of it holds nothing but the picture.
    Harmless,
}

use Fate::{Harmless, Refused};

struct Case {
    what: String,
    kind: &'static str,
    bytes: Vec<u8>,
    fate: Fate,
}

fn case(what: impl Into<String>, bytes: impl Into<Vec<u8>>, fate: Fate) -> Case {
    Case { what: what.into(), kind: "application/octet-stream", bytes: bytes.into(), fate }
}

const DAMAGED: Fate = Refused("media_damaged");
const PIXELS: Fate = Refused("too_many_pixels");
const NEITHER: Fate = Refused("unsupported_media");

const FORMATS: [(&str, ImageFormat); 4] = [
    ("JPEG", ImageFormat::Jpeg),
    ("PNG", ImageFormat::Png),
    ("WebP", ImageFormat::WebP),
    ("GIF", ImageFormat::Gif),
];

fn cut_off() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, format) in FORMATS {
        let whole = encoded(&picture(64, 48), format);
        for end in [30, whole.len() / 2, whole.len() * 9 / 10] {
            cases.push(case(format!("{name} cut off at {end}"), &whole[..end], DAMAGED));
        }
    }
    let whole = film(5_000);
    for end in [30, 300, whole.len() - 1] {
        cases.push(case(format!("MP4 cut off at {end}"), &whole[..end], DAMAGED));
    }
    cases
}

fn header(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
    let head = [numbers(&[width, height]), vec![depth, colour, 0, 0, 0]].concat();
    [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &head)].concat()
}

/// Zeros as `deflate` packs them: a thousandth of their size.
fn packed_zeros(megabytes: usize) -> Vec<u8> {
    // Out of a PNG of as many black points, whose data are one stream.
    let side = u32::try_from(megabytes * 1_000_000).unwrap() / 1_000;
    let black: image::DynamicImage = image::GrayImage::new(1_000, side).into();
    let png = encoded(&black, ImageFormat::Png);
    let mut data = Vec::new();
    let mut at = 8;
    while at < png.len() {
        let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        if &png[at + 4..at + 8] == b"IDAT" {
            data.extend_from_slice(&png[at + 8..at + 8 + length]);
        }
        at += length + 12;
    }
    data
}

fn pngs() -> Vec<Case> {
    let plain = encoded(&picture(64, 48), ImageFormat::Png);
    let end = chunk(b"IEND", b"");
    let zeros = packed_zeros(60);
    let bomb = [header(60_000, 60_000, 8, 0), chunk(b"IDAT", &zeros), end.clone()].concat();
    let short = [header(1_000, 1_000, 8, 0), chunk(b"IDAT", &zeros[..40]), end.clone()].concat();
    let text = [b"Comment\0\0".to_vec(), zeros.clone()].concat();
    let profile = [b"profile\0\0".to_vec(), zeros.clone()].concat();
    let mut sum = plain.clone();
    sum[30] ^= 1;
    let mut changed = plain.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0xff;
    let frames = [
        chunk(b"acTL", &numbers(&[u32::MAX, 0])),
        chunk(b"fcTL", &[numbers(&[0, 64, 48, 0, 0]), vec![0, 1, 0, 1, 0, 0]].concat()),
    ];
    vec![
        case("PNG that unpacks to gigabytes", bomb, PIXELS),
        case("PNG of 2147483647 by 1", header(i32::MAX.unsigned_abs(), 1, 8, 0), DAMAGED),
        case("PNG of 1 by 4294967295", header(1, u32::MAX, 8, 0), DAMAGED),
        case("PNG of no width", header(0, 10, 8, 0), DAMAGED),
        case("PNG of no height", header(10, 0, 8, 0), DAMAGED),
        case("PNG of three bits", [header(8, 8, 3, 0), end.clone()].concat(), DAMAGED),
        case("PNG without points", [header(8, 8, 8, 2), end.clone()].concat(), DAMAGED),
        case(
            "PNG without its colours",
            [header(8, 8, 8, 3), chunk(b"IDAT", &zeros[..40]), end].concat(),
            DAMAGED,
        ),
        case("PNG with too few points", short, DAMAGED),
        case("PNG with a wrong sum", sum, DAMAGED),
        case("PNG with a changed byte", changed, DAMAGED),
        case("PNG with a text of 60 MB", png_with(&plain, &[chunk(b"zTXt", &text)]), Harmless),
        case(
            "PNG with a profile of 60 MB",
            png_with(&plain, &[chunk(b"iCCP", &profile)]),
            Harmless,
        ),
        case("PNG that says it moves for ever", png_with(&plain, &frames), Harmless),
        case(
            "PNG with ten thousand texts",
            png_with(&plain, &vec![chunk(b"tEXt", b"a\0b"); 10_000]),
            Harmless,
        ),
        case(
            "PNG and an archive",
            [&plain[..], b"PK\x03\x04", CANARY.as_bytes()].concat(),
            Harmless,
        ),
    ]
}

fn jpegs() -> Vec<Case> {
    let plain = encoded(&picture(64, 48), ImageFormat::Jpeg);
    let frame = plain.windows(2).position(|it| it == [0xff, 0xc0]).unwrap();
    let sized = |height: u16, width: u16| {
        let mut bytes = plain.clone();
        bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        bytes
    };
    // A directory whose next one is itself, with more entries than there are bytes.
    let ring = [
        &b"Exif\0\0II*\0\x08\0\0\0\xff\xff"[..],
        &[0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0],
        &[8, 0, 0, 0],
    ]
    .concat();
    let icc = |number: u8, of: u8| {
        segment(0xe2, &[&b"ICC_PROFILE\0"[..], &[number, of], &vec![0xff; 60_000]].concat())
    };
    let named = |name: &[u8], body: &[u8]| segment(0xe1, &[name, body].concat());
    let script = format!("*/=1;alert('{CANARY}')/*");
    let mut no_table = plain.clone();
    let table = no_table.windows(2).position(|it| it == [0xff, 0xdb]).unwrap();
    no_table[table + 1] = 0xe9;
    vec![
        case("JPEG of 65500 by 65500", sized(65_500, 65_500), PIXELS),
        case("JPEG of no height", sized(0, 64), DAMAGED),
        case("JPEG of no width", sized(48, 0), DAMAGED),
        case("JPEG without a table", no_table, DAMAGED),
        case("JPEG that is only its start", &plain[..2], NEITHER),
        case(
            "JPEG with directories in a ring",
            jpeg_with(&plain, &[segment(0xe1, &ring)]),
            Harmless,
        ),
        case(
            "JPEG with a profile of 15 MB",
            jpeg_with(&plain, &(1..=250).map(|n| icc(n, 250)).collect::<Vec<_>>()),
            Harmless,
        ),
        case("JPEG with a part of a profile", jpeg_with(&plain, &[icc(7, 3)]), Harmless),
        case(
            "JPEG with a place in it",
            jpeg_with(&plain, &[named(b"Exif\0\0", &exif(1))]),
            Harmless,
        ),
        case(
            "JPEG that is a script",
            jpeg_with(&plain, &[segment(0xfe, script.as_bytes())]),
            Harmless,
        ),
        case(
            "JPEG that is PHP",
            jpeg_with(&plain, &[segment(0xfe, format!("<?php {CANARY} ?>").as_bytes())]),
            Harmless,
        ),
        case(
            "JPEG and an archive",
            [&plain[..], b"PK\x03\x04", CANARY.as_bytes()].concat(),
            Harmless,
        ),
        case(
            "JPEG and a document",
            [&plain[..], b"%PDF-1.7 ", CANARY.as_bytes()].concat(),
            Harmless,
        ),
        case(
            "JPEG with a thousand comments",
            jpeg_with(&plain, &vec![segment(0xfe, &[b'a'; 1_000]); 1_000]),
            Harmless,
        ),
    ]
}

/// A GIF of so many frames of one point each.
fn frames(side: u16, count: usize) -> Vec<u8> {
    let [low, high] = side.to_le_bytes();
    let head =
        [&b"GIF89a"[..], &[low, high, low, high, 0x80, 0, 0, 0, 0, 0, 255, 255, 255]].concat();
    let frame = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0].repeat(count);
    [head, frame, vec![0x3b]].concat()
}

fn others() -> Vec<Case> {
    let webp = encoded(&picture(64, 48), ImageFormat::WebP);
    let mut wide = webp.clone();
    // Sixteen thousand by as many, in the fourteen bits that a lossless picture has for each.
    wide[21..25].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
    let script = [&b"GIF89a=1;alert('"[..], CANARY.as_bytes(), b"')//"].concat();
    let length = u8::try_from(CANARY.len()).unwrap();
    let text = [&[0x21, 0xfe, length][..], CANARY.as_bytes(), &[0]].concat();
    let plain = frames(8, 1);
    vec![
        case("GIF of 65535 by 65535", frames(65_535, 1), PIXELS),
        case("GIF of nothing", frames(0, 1), DAMAGED),
        case("GIF of three thousand frames", frames(10, 3_000), PIXELS),
        case("GIF of frames on a large ground", frames(1_500, 400), PIXELS),
        case("GIF that is a script", script, PIXELS),
        case("GIF with a comment", [&plain[..19], &text, &plain[19..]].concat(), Harmless),
        case(
            "GIF and an archive",
            [&plain[..], b"PK\x03\x04", CANARY.as_bytes()].concat(),
            Harmless,
        ),
        case("WebP of 16384 by 16384", wide, DAMAGED),
        case("WebP whose ground is larger", webp_with(&webp, 16_384, 16_384, &[]), DAMAGED),
        case("WebP with a place in it", talkative_webp(64, 48), Harmless),
        case("WebP of nothing", riff(b"RIFF", b"WEBP"), DAMAGED),
        case(
            "WebP with a wrong length",
            [&b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\x7f"[..], &[0; 50]].concat(),
            DAMAGED,
        ),
    ]
}

fn films() -> Vec<Case> {
    let whole = film(500);
    let kind = boxed("ftyp", b"isom\0\0\x02\0isommp41");
    let data = boxed("mdat", &[7; 100]);
    let nested = (0..5_000).fold(Vec::new(), |inner, _| boxed("moov", &inner));
    let still = [0_u32.to_be_bytes(), *b"trak"].concat().repeat(5_000);
    let lie = |size: u64| {
        [&kind[..], &1_u32.to_be_bytes(), b"mdat", &size.to_be_bytes(), &whole[kind.len()..]]
            .concat()
    };
    vec![
        case("MP4 that is only a name", kind.clone(), DAMAGED),
        case("MP4 without an index", [&kind[..], &data].concat(), DAMAGED),
        case(
            "MP4 without pictures",
            [
                &kind[..],
                &boxed(
                    "moov",
                    &boxed("mvhd", &[numbers(&[0, 0, 0, 1_000, 2_000]), vec![0; 80]].concat()),
                ),
                &data,
            ]
            .concat(),
            Refused("video_without_pictures"),
        ),
        case(
            "MP4 in fragments",
            [&whole[..], &boxed("moof", &[])].concat(),
            Refused("video_fragmented"),
        ),
        case("MP4 of thousands in one another", [&kind[..], &nested, &data].concat(), DAMAGED),
        case(
            "MP4 with boxes of no length",
            [&kind[..], &boxed("moov", &still), &data].concat(),
            DAMAGED,
        ),
        case("MP4 with a box that overflows", lie(u64::MAX), DAMAGED),
        case("MP4 with a box that is negative", lie(1 << 63), DAMAGED),
        case("MP4 with a box smaller than its head", lie(3), DAMAGED),
        case(
            "MP4 with an index larger than itself",
            [&kind[..], b"\x7f\xff\xff\xffmoov", &data].concat(),
            DAMAGED,
        ),
        case(
            "MP4 and an archive",
            [&whole[..], b"PK\x03\x04", CANARY.as_bytes()].concat(),
            DAMAGED,
        ),
        case("MP4 twice", whole.repeat(2), DAMAGED),
        case(
            "MP4 of thousands of boxes",
            [&kind[..], &boxed("free", &[]).repeat(3_000), &whole].concat(),
            Refused("video_fragmented"),
        ),
    ]
}

fn other_kinds() -> Vec<Case> {
    let tar = [vec![0; 257], b"ustar\0".to_vec(), vec![0; 300]].concat();
    let kinds: [(&str, &[u8]); 20] = [
        ("HTML", b"<!DOCTYPE html><script>alert(1)</script>"),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("SVG with a mark", b"\xef\xbb\xbf<?xml version='1.0'?><svg/>"),
        ("XML that reads files", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"),
        ("script", b"#!/bin/sh\nrm -rf /\n"),
        ("PHP", b"<?php system($_GET['c']); ?>"),
        ("PDF", b"%PDF-1.7\n1 0 obj"),
        ("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run"),
        ("ImageMagick", b"push graphic-context\nfill 'url(https://example.org/x.jpg\"|ls \"-la)'"),
        ("archive", b"PK\x03\x04\x14\0\0\0\x08\0"),
        ("program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        ("program of Windows", b"MZ\x90\0\x03\0\0\0\x04\0\0\0"),
        ("TIFF", b"II*\0\x08\0\0\0\xff\xff\0\0"),
        ("BMP", b"BM\xff\xff\xff\xff\0\0\0\0\x36\0\0\0\x28\0\0\0"),
        ("icon", b"\0\0\x01\0\xff\xff\0\0"),
        ("Photoshop", b"8BPS\0\x01\0\0\0\0\0\0\0\x03\xff\xff\xff\xff"),
        ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("AVIF", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"),
        ("sound", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0"),
        ("zeros", &[0; 4_096]),
    ];
    let mut cases: Vec<_> =
        kinds.into_iter().map(|(name, bytes)| case(name, bytes, NEITHER)).collect();
    cases.push(case("tar", tar, NEITHER));
    let lies: [(&str, &'static str, Vec<u8>, Fate); 5] = [
        ("PNG that is called JPEG", "image/jpeg", png(8, 8), Refused("media_type_mismatch")),
        ("PNG that is called a page", "text/html", png(8, 8), Refused("media_type_mismatch")),
        ("page that is called PNG", "image/png", b"<html></html>".to_vec(), NEITHER),
        ("film that is called PNG", "image/png", film(100), Refused("media_type_mismatch")),
        ("PNG that is called a film", "video/mp4", png(8, 8), Refused("media_type_mismatch")),
    ];
    for (what, kind, bytes, fate) in lies {
        cases.push(Case { kind, ..case(what, bytes, fate) });
    }
    cases
}

/// A form with these parts: the head of each, and its body.
fn form(parts: &[(&str, &[u8])], end: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, bytes) in parts {
        body.extend(format!("--x\r\n{head}\r\n\r\n").bytes());
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(end.bytes());
    body
}

fn forms() -> Vec<Case> {
    let picture = png(8, 8);
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"a.png\"";
    let path = "Content-Disposition: form-data; name=\"file\"; filename=\"../../../../etc/passwd\"";
    let nul = "Content-Disposition: form-data; name=\"file\"; filename=\"a.png\0.html\"";
    let other = "Content-Disposition: form-data; name=\"avatar\"; filename=\"a.png\"";
    let long = format!("{file}\r\nX-A: {}", "a".repeat(100_000));
    let bad = Refused("bad_multipart");
    let end = "--x--\r\n";
    let cases = [
        ("form whose file is called a path", form(&[(path, &picture)], end), Harmless),
        ("form whose file has NUL in its name", form(&[(nul, &picture)], end), bad),
        ("form with two files", form(&[(file, &picture), (file, &picture)], end), bad),
        ("form with another field", form(&[(other, &picture)], end), bad),
        ("form without an end", form(&[(file, &picture)], ""), bad),
        ("form with a head of 100 kB", form(&[(&long, &picture)], end), Harmless),
        ("form of nothing", Vec::new(), bad),
        ("form with an empty file", form(&[(file, b"")], end), Refused("empty_file")),
    ];
    let kind = "multipart/form-data; boundary=x";
    let mut all: Vec<_> = cases
        .into_iter()
        .map(|(what, bytes, fate)| Case { kind, ..case(what, bytes, fate) })
        .collect();
    all.push(Case { kind: "multipart/form-data", ..case("form without a boundary", picture, bad) });
    all
}

fn corpus() -> Vec<Case> {
    [cut_off(), pngs(), jpegs(), others(), films(), other_kinds(), forms()]
        .into_iter()
        .flatten()
        .collect()
}

/// The most memory that this process has had, in megabytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

/// The names of all files below a directory.
fn files(below: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(below) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_made_to_harm_are_refused_or_harmless() {
    let options =
        [("CHANCERY_MEDIA__MAX_PIXELS", "4000000"), ("CHANCERY_MEDIA__MAX_BYTES", "16000000")];
    let world = World::sqlite_with(&options).await;
    let corpus = corpus();
    assert!(corpus.len() >= 65, "{}", corpus.len());
    let before = most_memory();
    let (mut wrong, mut taken) = (Vec::new(), 0);
    for Case { what, kind, bytes, fate } in corpus {
        let answer = world.ask("POST", "/api/v1/media").body(kind, bytes.clone()).await;
        let found = match answer.status {
            201 => Harmless,
            400 | 413 | 415 | 422 => {
                let body = answer.json();
                let code = body["errors"][0]["code"].as_str().or(body["code"].as_str()).unwrap();
                assert!(!body["title"].as_str().unwrap().is_empty(), "{body}");
                Refused(code.to_owned().leak())
            }
            other => Refused(format!("status {other}").leak()),
        };
        if found != fate {
            wrong.push(format!("{what}: {found:?} instead of {fate:?}"));
        } else if found == Harmless {
            taken += 1;
            let media = answer.json();
            let place = format!("/api/v1/media/{}/content", media["id"].as_str().unwrap());
            let kept = world.ask("GET", &place).send().await.bytes;
            for png in [true, false] {
                let recipe = Recipe { max_bytes: 4_000_000, max_side: 2_048, png };
                let made = render(&kept, &recipe).unwrap();
                image::load_from_memory(&made.bytes).unwrap();
                let text = String::from_utf8_lossy(&made.bytes);
                assert!(!text.contains("LEAK") && !text.contains("PK\u{3}"), "{what}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let grown = most_memory() - before;
    assert!(grown < 400, "{grown} MB more than before");
    let list = world.ask("GET", "/api/v1/media?limit=200").send().await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), taken);
    let left = files(&world.data().join("media"));
    let kept = left.iter().filter(|it| !it.contains("/media/.")).count();
    assert!(left.len() == kept && kept <= taken, "{left:?}");
    world.end().await;
}

/// What does not even speak HTTP as it should.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_breaks_off_or_never_ends_leaves_nothing() {
    let options =
        [("CHANCERY_MEDIA__MAX_BYTES", "100000"), ("CHANCERY_MEDIA__MAX_VIDEO_BYTES", "200000")];
    let world = World::sqlite_with(&options).await;
    let head = format!(
        "POST /api/v1/media HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/octet-stream\r\n",
        world.admin
    );
    let address = world.base.trim_start_matches("http://").to_owned();
    let send = |body: Vec<u8>| {
        let (address, head) = (address.clone(), head.clone());
        tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            // The other side may be tired of it before we are.
            let _refused = stream.write_all(&[head.as_bytes(), &body].concat());
            stream.shutdown(std::net::Shutdown::Write).ok();
            let mut answer = Vec::new();
            let _reset = std::io::Read::read_to_end(&mut stream, &mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        })
    };
    let picture = png(8, 8);
    let short =
        [format!("content-length: {}\r\n\r\n", picture.len() + 9).into_bytes(), picture.clone()];
    let answer = send(short.concat()).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    // Pieces without end, of a picture and of a film.
    for first in [picture, film(10)] {
        let size = format!("{:x}\r\n", first.len()).into_bytes();
        let piece = [&b"2710\r\n"[..], &[7; 10_000], b"\r\n"].concat();
        let body = [
            b"transfer-encoding: chunked\r\n\r\n".to_vec(),
            size,
            first,
            b"\r\n".to_vec(),
            piece.repeat(40),
        ];
        let answer = send(body.concat()).await.unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    let list = world.ask("GET", "/api/v1/media").send().await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 0);
    assert_eq!(files(&world.data().join("media")), Vec::<String>::new());
    world.end().await;
}
