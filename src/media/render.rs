//! Makes of a picture what leaves: its points alone, upright, in sRGB, small enough for the platform.
//! Nothing else of the file is taken over, so nothing that is hidden in it can leave. The same picture
//! and recipe make the same bytes. Runs on a thread that may block.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::inspect::{self, Unfit};

/// What a platform takes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Recipe {
    /// The largest file.
    pub max_bytes: u64,
    /// The longest side, in pixels.
    pub max_side: u32,
    /// Whether PNG is taken, which keeps what is see-through and the edges of letters; otherwise all is
    /// JPEG, on white.
    pub png: bool,
}

/// Grows whenever other bytes come out of the same picture and recipe.
pub(super) const VERSION: u32 = 1;

/// From the first that fits.
const QUALITIES: [u8; 4] = [90, 82, 74, 66];
/// A picture that still does not fit is made smaller so many times, each time by a quarter.
const SHRINKS: u32 = 12;
/// Profiles of cameras and printers have less.
const LARGEST_PROFILE: usize = 4 << 20;

/// What leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The file.
    pub bytes: Bytes,
    /// Its type.
    pub mime: &'static str,
}

/// Pixels of a picture by its header, for taking turns.
pub(super) fn pixels(bytes: &[u8]) -> Result<u64, Unfit> {
    let (width, height) = inspect::size(bytes, inspect::format(bytes)?)?;
    Ok(u64::from(width) * u64::from(height))
}

/// Makes what leaves of a picture that was looked into when it came in.
pub fn render(bytes: &[u8], recipe: &Recipe) -> Result<Rendered, Unfit> {
    let format = inspect::format(bytes)?;
    let points = upright(bytes, format)?;
    let lossless = matches!(format, ImageFormat::Png | ImageFormat::Gif);
    let clear = points.pixels().any(|point| point.0[3] < u8::MAX);
    if recipe.png && (lossless || clear) {
        let picture = DynamicImage::ImageRgba8(points.clone());
        let picture = within(picture, recipe.max_side);
        let mut out = Vec::new();
        let picture = if clear { picture } else { DynamicImage::ImageRgb8(picture.into_rgb8()) };
        picture.write_to(&mut Cursor::new(&mut out), ImageFormat::Png).map_err(inspect::unfit)?;
        if out.len() as u64 <= recipe.max_bytes {
            return Ok(Rendered { bytes: out.into(), mime: "image/png" });
        }
    }
    jpeg(within(DynamicImage::ImageRgb8(on_white(&points)), recipe.max_side), recipe.max_bytes)
}

/// The points as they are meant to be seen, eight bits each.
fn upright(bytes: &[u8], format: ImageFormat) -> Result<RgbaImage, Unfit> {
    let (width, height) = inspect::size(bytes, format)?;
    let most = u64::from(width) * u64::from(height);
    let mut decoder = inspect::decoder(bytes, format, most)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(inspect::unfit)?;
    picture.apply_orientation(orientation);
    let mut points = picture.into_rgba8();
    if let Some(profile) = profile.filter(|profile| profile.len() <= LARGEST_PROFILE) {
        to_srgb(&mut points, &profile);
    }
    Ok(points)
}

/// Brings colours into sRGB, which is what is assumed of a picture that says nothing. A profile that
/// cannot be read, or is of another kind of colours than the points, is as good as none.
fn to_srgb(points: &mut RgbaImage, profile: &[u8]) {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return };
    if profile.color_space != DataColorSpace::Rgb {
        return;
    }
    let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
    let made = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgba, options);
    let mut brought = vec![0; points.as_raw().len()];
    if made.is_ok_and(|transform| transform.transform(points.as_raw(), &mut brought).is_ok())
        && let Some(brought) = RgbaImage::from_raw(points.width(), points.height(), brought)
    {
        *points = brought;
    }
}

fn on_white(points: &RgbaImage) -> RgbImage {
    let over = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        u8::try_from((value * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
    };
    RgbImage::from_fn(points.width(), points.height(), |x, y| {
        let Rgba([red, green, blue, alpha]) = *points.get_pixel(x, y);
        Rgb([over(red, alpha), over(green, alpha), over(blue, alpha)])
    })
}

/// No side longer than `most`.
fn within(picture: DynamicImage, most: u32) -> DynamicImage {
    if picture.width() <= most && picture.height() <= most {
        return picture;
    }
    picture.resize(most, most, FilterType::Lanczos3)
}

/// The best JPEG that is small enough.
fn jpeg(mut picture: DynamicImage, max_bytes: u64) -> Result<Rendered, Unfit> {
    for _ in 0..=SHRINKS {
        for quality in QUALITIES {
            let mut out = Vec::new();
            let encoder = JpegEncoder::new_with_quality(&mut out, quality);
            picture.write_with_encoder(encoder).map_err(inspect::unfit)?;
            if out.len() as u64 <= max_bytes {
                return Ok(Rendered { bytes: out.into(), mime: "image/jpeg" });
            }
        }
        let side = (picture.width().max(picture.height()) * 3 / 4).max(1);
        picture = within(picture, side);
    }
    Err(Unfit::TooLarge)
}
