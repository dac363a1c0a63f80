//! Looks into a file's bytes: what it is by its own word, how large a picture, and whether it can be
//! read to its end. Runs on a thread that may block.

use std::io::Cursor;

use image::{AnimationDecoder as _, ImageDecoder as _, ImageFormat, ImageReader, Limits};

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
}

/// What a file is.
pub fn inspect(bytes: &[u8], max_pixels: u64) -> Result<MediaFacts, Unfit> {
    if bytes.is_empty() {
        return Err(Unfit::Empty);
    }
    let found = infer::get(bytes).map(|kind| kind.mime_type());
    let format = match found {
        Some("image/jpeg") => ImageFormat::Jpeg,
        Some("image/png") => ImageFormat::Png,
        Some("image/webp") => ImageFormat::WebP,
        Some("image/gif") => ImageFormat::Gif,
        other => return Err(Unfit::Unsupported { found: other.map(str::to_owned) }),
    };
    let (width, height) = size(bytes, format)?;
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(Unfit::TooManyPixels);
    }
    let turned = decode(bytes, format, max_pixels)?;
    let (width, height) = if turned { (height, width) } else { (width, height) };
    let duration_ms =
        if format == ImageFormat::Gif { gif_duration(bytes, max_pixels)? } else { None };
    let kind = if duration_ms.is_some() { MediaKind::Animation } else { MediaKind::Image };
    Ok(MediaFacts {
        kind,
        mime: format.to_mime_type().to_owned(),
        width: Some(width),
        height: Some(height),
        duration_ms,
    })
}

/// Size by the header alone: before anything is unpacked.
fn size(bytes: &[u8], format: ImageFormat) -> Result<(u32, u32), Unfit> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.set_format(format);
    reader.into_dimensions().map_err(|_broken| Unfit::Damaged)
}

fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::default();
    // Sixteen bits of four channels a pixel, and as much again to work in.
    limits.max_alloc = Some(max_pixels.saturating_mul(16).max(1 << 20));
    limits
}

/// Unpacks the whole picture, which is the only proof that it is whole; true when its orientation
/// swaps width and height.
fn decode(bytes: &[u8], format: ImageFormat, max_pixels: u64) -> Result<bool, Unfit> {
    use image::metadata::Orientation;
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.set_format(format);
    reader.limits(limits(max_pixels));
    let mut decoder = reader.into_decoder().map_err(unfit)?;
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

/// How long a GIF with several frames plays; `None` for one with a single frame.
fn gif_duration(bytes: &[u8], max_pixels: u64) -> Result<Option<u64>, Unfit> {
    /// More frames than any greeting card has.
    const MOST_FRAMES: usize = 2_000;
    let mut decoder = image::codecs::gif::GifDecoder::new(Cursor::new(bytes)).map_err(unfit)?;
    decoder.set_limits(limits(max_pixels)).map_err(unfit)?;
    let mut frames = 0;
    let mut millis = 0_u64;
    for frame in decoder.into_frames() {
        let (numerator, denominator) = frame.map_err(unfit)?.delay().numer_denom_ms();
        millis += u64::from(numerator) / u64::from(denominator.max(1));
        frames += 1;
        if frames > MOST_FRAMES {
            return Err(Unfit::TooManyPixels);
        }
    }
    Ok((frames > 1).then_some(millis))
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn unfit(error: image::ImageError) -> Unfit {
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
