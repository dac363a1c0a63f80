//! The pictures of the demonstration, painted when they are needed.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

/// A picture that can be painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Picture {
    /// A golden star on red, a PNG.
    Flag,
    /// Rice terraces under the sky, a JPEG.
    Terraces,
}

const FLAG: (u32, u32) = (720, 480);
const TERRACES: (u32, u32) = (800, 500);

impl Picture {
    /// The type of its file.
    pub(super) fn mime(self) -> &'static str {
        match self {
            Self::Flag => "image/png",
            Self::Terraces => "image/jpeg",
        }
    }

    /// The file.
    pub(super) fn paint(self) -> Result<Vec<u8>, image::ImageError> {
        let (painted, format) = match self {
            Self::Flag => (RgbImage::from_fn(FLAG.0, FLAG.1, flag), ImageFormat::Png),
            Self::Terraces => {
                let painted = RgbImage::from_fn(TERRACES.0, TERRACES.1, terraces);
                (painted, ImageFormat::Jpeg)
            }
        };
        let mut file = Cursor::new(Vec::new());
        painted.write_to(&mut file, format)?;
        Ok(file.into_inner())
    }
}

fn flag(x: u32, y: u32) -> Rgb<u8> {
    let across = f64::from(x) - f64::from(FLAG.0) / 2.0;
    let down = f64::from(y) - f64::from(FLAG.1) / 2.0;
    if in_star(across, down, f64::from(FLAG.1) * 0.3) {
        Rgb([255, 221, 0])
    } else {
        Rgb([218, 37, 29])
    }
}

/// Whether a point lies in a five-pointed star around the origin, one tip pointing up.
fn in_star(across: f64, down: f64, radius: f64) -> bool {
    // A point is in the star when at most one of the five lines through its tips parts it from the
    // middle.
    let line = radius * (std::f64::consts::TAU / 5.0).cos();
    let outside = (0..5)
        .filter(|tip| {
            let angle = std::f64::consts::TAU * f64::from(*tip) / 5.0;
            across * angle.sin() - down * angle.cos() > line
        })
        .count();
    outside <= 1
}

fn terraces(x: u32, y: u32) -> Rgb<u8> {
    let (across, down) =
        (f64::from(x) / f64::from(TERRACES.0), f64::from(y) / f64::from(TERRACES.1));
    let ridge = 0.34 + 0.07 * (across * 5.0).sin() + 0.03 * (across * 13.0).cos();
    if down < ridge {
        return Rgb([level(150.0 + 80.0 * down), level(190.0 + 60.0 * down), 235]);
    }
    let depth = (down - ridge) * (1.0 + down);
    let step = (depth * 16.0 + 0.35 * (across * 9.0 + depth * 4.0).sin()).fract();
    if step < 0.14 {
        return Rgb([74, 98, 42]);
    }
    Rgb([
        level(225.0 - 90.0 * step * depth),
        level(188.0 - 60.0 * step),
        level(70.0 - 40.0 * depth),
    ])
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is brought between 0 and 255 first"
)]
fn level(value: f64) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_it_says() {
        for picture in [Picture::Flag, Picture::Terraces] {
            let file = picture.paint().unwrap();
            let kind = image::guess_format(&file).unwrap();
            assert_eq!(kind.to_mime_type(), picture.mime());
            assert!(file.len() < 200_000, "{} bytes", file.len());
        }
    }

    #[test]
    fn the_star_has_five_tips_one_of_which_points_up() {
        assert!(in_star(0.0, -99.0, 100.0) && !in_star(0.0, -101.0, 100.0));
        assert!(in_star(0.0, 0.0, 100.0));
        // Straight down is a notch between two tips.
        assert!(!in_star(0.0, 60.0, 100.0));
    }
}
