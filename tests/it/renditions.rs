//! What leaves of a picture: its points alone, upright, in sRGB, within the platform's limits, and the
//! same bytes each time.

use chancery::media::{Recipe, Rendered, render};
use image::{DynamicImage, GenericImageView as _, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use moxcms::ColorProfile;

use crate::crafted::{
    CANARY, chunk, encoded, exif, jpeg_with, picture, png_with, segment, talkative_gif,
    talkative_jpeg, talkative_png, talkative_webp,
};

pub(crate) const FACEBOOK: Recipe = Recipe { max_bytes: 4_000_000, max_side: 2_048, png: false };
pub(crate) const X: Recipe = Recipe { max_bytes: 5_000_000, max_side: 4_096, png: true };

fn made(bytes: &[u8], recipe: &Recipe) -> (Rendered, DynamicImage) {
    let made = render(bytes, recipe).unwrap();
    let seen = image::load_from_memory(&made.bytes).unwrap();
    (made, seen)
}

/// Whether two colours are the same as far as JPEG keeps them.
fn near(a: Rgba<u8>, b: [u8; 3]) -> bool {
    a.0.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 6)
}

const RED: [u8; 3] = [200, 30, 30];
const BLUE: [u8; 3] = [30, 30, 200];

/// Every segment of a JPEG, up to its points.
fn markers(jpeg: &[u8]) -> Vec<u8> {
    let (mut at, mut found) = (2, Vec::new());
    while jpeg[at] == 0xff && jpeg[at + 1] != 0xda {
        found.push(jpeg[at + 1]);
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    found
}

#[test]
fn nothing_that_a_file_tells_besides_its_points_leaves() {
    let files = [
        talkative_jpeg(64, 48, 1),
        talkative_png(&picture(64, 48)),
        talkative_webp(64, 48),
        talkative_gif(64, 48),
    ];
    for (number, file) in files.iter().enumerate() {
        assert!(file.windows(4).any(|it| it == b"LEAK"), "{number}: it is there");
        for recipe in [FACEBOOK, X] {
            let (made, seen) = made(file, &recipe);
            assert_eq!(seen.dimensions(), (64, 48), "{number}");
            assert!(
                near(seen.get_pixel(5, 5), RED) && near(seen.get_pixel(60, 40), BLUE),
                "{number}"
            );
            let text = String::from_utf8_lossy(&made.bytes);
            for trace in ["LEAK", CANARY, "Exif", "GPS", "xmp", "8BIM", "Comment", "PK\u{3}"] {
                assert!(!text.contains(trace), "{trace} in {number}");
            }
            if made.mime == "image/jpeg" {
                // The mark of JFIF, tables, and the frame: nothing that could hold words.
                let all = markers(&made.bytes);
                assert!(all.iter().all(|it| matches!(it, 0xe0 | 0xdb | 0xc0 | 0xc4)), "{all:x?}");
                assert!(made.bytes.ends_with(&[0xff, 0xd9]));
            } else {
                let kinds: Vec<_> = made.bytes.windows(4).filter(|it| it.is_ascii()).collect();
                for kind in [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"tIME"] {
                    assert!(!kinds.contains(&&kind[..]), "{kind:?}");
                }
            }
        }
    }
}

#[test]
fn the_turn_of_the_camera_is_in_the_points() {
    // Where the red half is, by the orientation that the camera wrote.
    let seen = |orientation: u8| {
        let body = [&b"Exif\0\0"[..], &exif(orientation)].concat();
        let plain = encoded(&picture(64, 48), ImageFormat::Jpeg);
        made(&jpeg_with(&plain, &[segment(0xe1, &body)]), &FACEBOOK).1
    };
    for (orientation, size, red, blue) in [
        (1, (64, 48), (5, 24), (60, 24)),
        (2, (64, 48), (60, 24), (5, 24)),
        (3, (64, 48), (60, 24), (5, 24)),
        (4, (64, 48), (5, 24), (60, 24)),
        (5, (48, 64), (24, 5), (24, 60)),
        (6, (48, 64), (24, 5), (24, 60)),
        (7, (48, 64), (24, 60), (24, 5)),
        (8, (48, 64), (24, 60), (24, 5)),
    ] {
        let seen = seen(orientation);
        assert_eq!(seen.dimensions(), size, "{orientation}");
        assert!(near(seen.get_pixel(red.0, red.1), RED), "{orientation}");
        assert!(near(seen.get_pixel(blue.0, blue.1), BLUE), "{orientation}");
    }
}

#[test]
fn the_same_picture_makes_the_same_bytes() {
    for file in [talkative_jpeg(300, 200, 6), talkative_png(&picture(300, 200))] {
        for recipe in [FACEBOOK, X, Recipe { max_side: 100, ..X }] {
            assert_eq!(render(&file, &recipe).unwrap(), render(&file, &recipe).unwrap());
        }
    }
}

/// Noise, which no coding makes small.
fn noise(width: u32, height: u32) -> DynamicImage {
    let mut state = 1_u32;
    RgbImage::from_fn(width, height, |_, _| {
        Rgb([0; 3].map(|_: u8| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        }))
    })
    .into()
}

#[test]
fn a_picture_is_made_to_fit() {
    let noise = encoded(&noise(900, 600), ImageFormat::Png);
    for (max_bytes, max_side) in [(400_000, 4_096), (100_000, 4_096), (20_000, 300), (3_000, 4_096)]
    {
        let recipe = Recipe { max_bytes, max_side, png: true };
        let (made, seen) = made(&noise, &recipe);
        assert!(made.bytes.len() as u64 <= max_bytes, "{max_bytes}");
        assert!(seen.width() <= max_side, "{max_side}");
        // Three by two, as it was.
        assert!((seen.width() * 2).abs_diff(seen.height() * 3) <= 3, "{:?}", seen.dimensions());
    }
    let large = encoded(&picture(3_000, 30), ImageFormat::Png);
    assert_eq!(made(&large, &FACEBOOK).1.dimensions(), (2_048, 20));
    assert!(render(&noise, &Recipe { max_bytes: 10, ..X }).is_err());
}

#[test]
fn what_is_see_through_stays_so_or_becomes_white() {
    let half = RgbaImage::from_fn(40, 20, |x, _| Rgba([200, 30, 30, if x < 20 { 255 } else { 0 }]));
    let file = encoded(&half.into(), ImageFormat::Png);
    let (kept, seen) = made(&file, &X);
    assert_eq!((kept.mime, seen.get_pixel(30, 10).0[3]), ("image/png", 0));
    let (flat, seen) = made(&file, &FACEBOOK);
    assert_eq!(flat.mime, "image/jpeg");
    assert!(near(seen.get_pixel(35, 10), [255; 3]) && near(seen.get_pixel(4, 10), RED));
}

#[test]
fn letters_stay_sharp_where_png_is_taken() {
    let file = encoded(&noise(60, 40), ImageFormat::Png);
    let (made, seen) = made(&file, &X);
    assert_eq!(made.mime, "image/png");
    assert_eq!(seen.to_rgb8(), image::load_from_memory(&file).unwrap().to_rgb8());
}

#[test]
fn colours_of_another_space_are_brought_into_srgb() {
    // The most red that Display P3 has, which is redder than sRGB can say.
    let red: DynamicImage = RgbImage::from_pixel(16, 16, Rgb([200, 80, 60])).into();
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let icc = [&b"ICC_PROFILE\0\x01\x01"[..], &profile].concat();
    let plain = encoded(&red, ImageFormat::Jpeg);
    let (_, with) = made(&jpeg_with(&plain, &[segment(0xe2, &icc)]), &FACEBOOK);
    let (_, without) = made(&plain, &FACEBOOK);
    let (with, without) = (with.get_pixel(8, 8).0, without.get_pixel(8, 8).0);
    assert!(near(Rgba(without), [200, 80, 60]), "{without:?}");
    assert!(with[0] > without[0] + 8 && with[1] < without[1], "{with:?} {without:?}");
    // A profile that is none changes nothing.
    for broken in [&b"ICC_PROFILE\0\x01\x01"[..], b"ICC_PROFILE\0\x01\x01 no profile at all"] {
        let (_, seen) = made(&jpeg_with(&plain, &[segment(0xe2, broken)]), &FACEBOOK);
        assert!(near(seen.get_pixel(8, 8), [200, 80, 60]));
    }
    let png = png_with(&encoded(&red, ImageFormat::Png), &[chunk(b"iCCP", b"x\0\0not deflate")]);
    assert!(render(&png, &X).is_err() || near(made(&png, &X).1.get_pixel(8, 8), [200, 80, 60]));
}
