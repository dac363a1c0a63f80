//! Looks into a file's bytes: what it is by its own word, how large a picture, and whether it can be
//! read to its end. Runs on a thread that may block.

use std::io::{self, Cursor};

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder as _, ImageDecoder as _, ImageFormat, ImageReader, Limits};

use super::video;
use crate::domain::media::{MediaFacts, MediaKind};

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Not one of the kinds that are taken.
    #[error("not a kind of file that is taken")]
    Unsupported {
        /// What it seems to be.
        found: Option<String>,
    },
    /// A picture that is cut off or broken.
    #[error("the picture cannot be read to its end")]
    Damaged,
    /// More pixels than allowed.
    #[error("the picture has too many pixels")]
    TooManyPixels,
    /// It cannot be made small enough.
    #[error("the picture cannot be made small enough")]
    TooLarge,
    /// A video without a track of pictures.
    #[error("there are no pictures in the video")]
    NoPictures,
    /// A video in pieces that are written one after another, as live streams are.
    #[error("the video is cut into fragments")]
    Fragmented,
    /// A video that only a key opens.
    #[error("the video is encrypted")]
    Protected,
    /// The disk did not give it; says nothing of the file.
    #[error("the file cannot be read now: {0}")]
    Unread(io::ErrorKind),
}

/// What a file can be, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// A picture.
    Picture,
    /// A video of this type.
    Video(&'static str),
}

/// So many bytes at the start of a file tell what it can be.
pub const TELLING: usize = 64;

/// What a file can be, by its first bytes. Whether it is, only [`inspect`] and [`inspect_video`] tell.
pub fn guess(head: &[u8]) -> Guess {
    video::mime(head).map_or(Guess::Picture, Guess::Video)
}

/// What a video is. Reads its index alone, however large the file is.
pub fn inspect_video(
    file: &mut (impl io::Read + io::Seek),
    size: u64,
    mime: &str,
) -> Result<MediaFacts, Unfit> {
    video::inspect(file, size, mime)
}

/// What a file is.
pub fn inspect(bytes: &[u8], max_pixels: u64) -> Result<MediaFacts, Unfit> {
    if bytes.is_empty() {
        return Err(Unfit::Empty);
    }
    let format = format(bytes)?;
    let (width, height) = size(bytes, format)?;
    if width == 0 || height == 0 {
        return Err(Unfit::Damaged);
    }
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(Unfit::TooManyPixels);
    }
    let turned = decode(bytes, format, max_pixels)?;
    let (width, height) = if turned { (height, width) } else { (width, height) };
    let (moves, duration_ms) = moving(bytes, format, max_pixels)?;
    let kind = if moves { MediaKind::Animation } else { MediaKind::Image };
    Ok(MediaFacts {
        kind,
        mime: format.to_mime_type().to_owned(),
        width: Some(width),
        height: Some(height),
        duration_ms,
        video: None,
    })
}

/// What kind of picture it is, by its first bytes.
pub(super) fn format(bytes: &[u8]) -> Result<ImageFormat, Unfit> {
    match infer::get(bytes).map(|kind| kind.mime_type()) {
        Some("image/jpeg") => Ok(ImageFormat::Jpeg),
        Some("image/png") => Ok(ImageFormat::Png),
        Some("image/webp") => Ok(ImageFormat::WebP),
        Some("image/gif") => Ok(ImageFormat::Gif),
        other => Err(Unfit::Unsupported { found: other.map(str::to_owned) }),
    }
}

/// Size by the header alone: before anything is unpacked.
pub(super) fn size(bytes: &[u8], format: ImageFormat) -> Result<(u32, u32), Unfit> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.set_format(format);
    // Texts and profiles are unpacked on the way to the size.
    reader.limits(limits(SMALL));
    reader.into_dimensions().map_err(unfit)
}

/// Pixels for whose bounds there is room for what stands around the points, too.
const SMALL: u64 = 4 << 20;

fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::default();
    // Sixteen bits of four channels a pixel, and as much again to work in.
    limits.max_alloc = Some(max_pixels.saturating_mul(16).max(1 << 24));
    limits
}

/// What unpacks a picture, within bounds.
pub(super) fn decoder(
    bytes: &[u8],
    format: ImageFormat,
    max_pixels: u64,
) -> Result<impl image::ImageDecoder + '_, Unfit> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.set_format(format);
    reader.limits(limits(max_pixels));
    reader.into_decoder().map_err(unfit)
}

/// Unpacks the whole picture, which is the only proof that it is whole; true when its orientation
/// swaps width and height.
fn decode(bytes: &[u8], format: ImageFormat, max_pixels: u64) -> Result<bool, Unfit> {
    use image::metadata::Orientation;
    let mut decoder = decoder(bytes, format, max_pixels)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    image::DynamicImage::from_decoder(decoder).map_err(unfit)?;
    if format == ImageFormat::Jpeg && !ends_like_a_jpeg(bytes) {
        return Err(Unfit::Damaged);
    }
    Ok(matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    ))
}

/// The reader of JPEG fills what is missing with grey and says nothing, so the mark of the end is
/// looked for. Cameras append their own things after it.
fn ends_like_a_jpeg(bytes: &[u8]) -> bool {
    bytes.windows(2).rev().any(|pair| pair == [0xff, 0xd9])
}

/// Whether it has several frames, and for how long they play where that is known.
fn moving(
    bytes: &[u8],
    format: ImageFormat,
    max_pixels: u64,
) -> Result<(bool, Option<u64>), Unfit> {
    if format == ImageFormat::Gif {
        let duration = gif_duration(bytes, max_pixels)?;
        return Ok((duration.is_some(), duration));
    }
    let moves = if format == ImageFormat::Png {
        let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits(max_pixels));
        decoder.and_then(|it| it.is_apng()).map_err(unfit)?
    } else if format == ImageFormat::WebP {
        WebPDecoder::new(Cursor::new(bytes)).map_err(unfit)?.has_animation()
    } else {
        false
    };
    Ok((moves, None))
}

/// How long a GIF with several frames plays; `None` for one with a single frame.
fn gif_duration(bytes: &[u8], max_pixels: u64) -> Result<Option<u64>, Unfit> {
    /// More frames than any greeting card has.
    const MOST_FRAMES: u64 = 2_000;
    /// Frames times pixels: each frame is painted on the whole picture, however small it is.
    const MOST_PAINTED: u64 = 300_000_000;
    let mut decoder = GifDecoder::new(Cursor::new(bytes)).map_err(unfit)?;
    decoder.set_limits(limits(max_pixels)).map_err(unfit)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let mut frames = 0_u64;
    let mut millis = 0_u64;
    for frame in decoder.into_frames() {
        let (numerator, denominator) = frame.map_err(unfit)?.delay().numer_denom_ms();
        millis += u64::from(numerator) / u64::from(denominator.max(1));
        frames += 1;
        if frames > MOST_FRAMES || frames.saturating_mul(pixels) > MOST_PAINTED {
            return Err(Unfit::TooManyPixels);
        }
    }
    Ok((frames > 1).then_some(millis))
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn unfit(error: image::ImageError) -> Unfit {
    if matches!(error, image::ImageError::Limits(_)) {
        Unfit::TooManyPixels
    } else {
        Unfit::Damaged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: u64 = 1_000_000;

    fn picture(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels = image::RgbImage::from_fn(64, 32, |x, y| {
            image::Rgb([u8::try_from(x * 3).unwrap(), u8::try_from(y * 7).unwrap(), 99])
        });
        image::DynamicImage::from(pixels).write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    #[test]
    fn the_kinds_that_are_taken_are_known_by_their_bytes() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
            let facts = inspect(&picture(format), ENOUGH).unwrap();
            assert_eq!(facts.mime, format.to_mime_type());
            assert_eq!((facts.width, facts.height), (Some(64), Some(32)));
            assert_eq!((facts.kind, facts.duration_ms), (MediaKind::Image, None));
        }
    }

    #[test]
    fn a_file_that_is_cut_off_is_refused() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
            let whole = picture(format);
            let cut = &whole[..whole.len() * 2 / 3];
            assert_eq!(inspect(cut, ENOUGH), Err(Unfit::Damaged), "{format:?}");
        }
    }

    #[test]
    fn a_small_file_that_unpacks_to_too_much_is_refused_by_its_header() {
        assert_eq!(inspect(&picture(ImageFormat::Png), 64 * 32 - 1), Err(Unfit::TooManyPixels));
        assert!(inspect(&picture(ImageFormat::Png), 64 * 32).is_ok());
    }

    #[test]
    fn other_files_are_refused_by_what_they_are() {
        assert_eq!(inspect(b"", ENOUGH), Err(Unfit::Empty));
        let pdf = inspect(b"%PDF-1.7 and so on", ENOUGH);
        assert_eq!(pdf, Err(Unfit::Unsupported { found: Some("application/pdf".into()) }));
        assert_eq!(inspect(b"<svg/>", ENOUGH), Err(Unfit::Unsupported { found: None }));
    }

    #[test]
    fn a_gif_that_moves_is_an_animation() {
        let mut bytes = Vec::new();
        {
            let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
            for shade in [0, 200] {
                let pixels = image::RgbaImage::from_pixel(8, 8, image::Rgba([shade, 0, 0, 255]));
                let delay = image::Delay::from_numer_denom_ms(250, 1);
                encoder.encode_frame(image::Frame::from_parts(pixels, 0, 0, delay)).unwrap();
            }
        }
        let facts = inspect(&bytes, ENOUGH).unwrap();
        assert_eq!((facts.kind, facts.duration_ms), (MediaKind::Animation, Some(500)));
    }
}
