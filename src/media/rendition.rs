//! Renditions: what leaves of a picture, made once for each recipe and kept beside the originals. They
//! can be thrown away at any time; the same ones are made again.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::fs;

use super::files::{Error, Files, at};
use super::inspect::Unfit;
use super::render::{self, Recipe, Rendered};

/// Where they are. No hash begins with a dot.
const BESIDE: &str = ".renditions";

/// So many millions of pixels are worked on at once; a picture of more waits until it is alone.
pub(super) const MEGAPIXELS_AT_ONCE: u32 = 64;

/// A picture as it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// Lower-case hexadecimal SHA-256 of the file.
    pub sha256: String,
    /// Its type.
    pub mime: String,
    /// The file.
    pub bytes: Bytes,
}

/// What is remembered of a rendition.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    sha256: String,
    mime: String,
}

impl Files {
    /// What leaves of a kept picture of at most so many bytes.
    pub async fn rendition(
        &self,
        sha256: &str,
        most: u64,
        recipe: &Recipe,
    ) -> Result<Rendition, Error> {
        let beside = self.beside(BESIDE);
        let note = beside.directory().join(format!("{}.json", key(sha256, recipe)));
        if let Some(kept) = kept(&beside, &note, recipe).await {
            return Ok(kept);
        }
        let original = self.read(sha256, most).await?;
        let unfit = |why: Unfit| Error::Unfit { sha256: sha256.to_owned(), why };
        let pixels = render::pixels(&original).map_err(unfit)?;
        let weight = u32::try_from(pixels.div_ceil(1_000_000)).unwrap_or(u32::MAX);
        let turn = self.turns().acquire_many(weight.clamp(1, MEGAPIXELS_AT_ONCE)).await;
        let _turn = turn.map_err(|_closed| unfit(Unfit::Damaged))?;
        let recipe = recipe.clone();
        let work = tokio::task::spawn_blocking(move || render::render(&original, &recipe));
        // Whatever a file can do to a decoder that panics, it is the file's fault.
        let Rendered { bytes, mime } = work.await.unwrap_or(Err(Unfit::Damaged)).map_err(unfit)?;
        let made = Note { sha256: beside.put(&bytes).await?, mime: mime.to_owned() };
        write(&beside, &note, &made).await?;
        Ok(Rendition { sha256: made.sha256, mime: made.mime, bytes })
    }
}

/// By what a rendition is found again.
fn key(sha256: &str, recipe: &Recipe) -> String {
    let text = format!(
        "{} {sha256} {} {} {}",
        render::VERSION,
        recipe.max_bytes,
        recipe.max_side,
        recipe.png
    );
    hex::encode(Sha256::digest(text))
}

/// What was made before, if all of it is still there and unchanged.
async fn kept(beside: &Files, note: &std::path::Path, recipe: &Recipe) -> Option<Rendition> {
    let note: Note = serde_json::from_slice(&fs::read(note).await.ok()?).ok()?;
    let bytes = beside.read(&note.sha256, recipe.max_bytes).await.ok()?;
    Some(Rendition { sha256: note.sha256, mime: note.mime, bytes })
}

/// Whole or not at all: a note that was cut off would only be made again, but it would be read often.
async fn write(beside: &Files, path: &std::path::Path, note: &Note) -> Result<(), Error> {
    let text = serde_json::to_vec(note).map_err(|error| at(path)(error.into()))?;
    let mut incoming = beside.receive().await?;
    incoming.write(&text).await?;
    let received = incoming.end().await?;
    fs::rename(&received.aside.0, path).await.map_err(at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rendition_is_made_once_and_again_when_it_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path());
        let picture = image::RgbImage::from_fn(40, 30, |x, y| {
            image::Rgb([u8::try_from(x * 6).unwrap(), u8::try_from(y * 8).unwrap(), 9])
        });
        let mut png = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let sha256 = files.put(&png.into_inner().into()).await.unwrap();
        let recipe = Recipe { max_bytes: 100_000, max_side: 20, png: false };
        let first = files.rendition(&sha256, 10_000, &recipe).await.unwrap();
        assert_eq!((first.mime.as_str(), &first.bytes[..2]), ("image/jpeg", &[0xff, 0xd8][..]));
        assert_eq!(files.rendition(&sha256, 10_000, &recipe).await.unwrap(), first);
        let other = Recipe { png: true, ..recipe.clone() };
        assert_eq!(files.rendition(&sha256, 10_000, &other).await.unwrap().mime, "image/png");

        // What somebody has changed on the disk does not leave.
        let beside = directory.path().join(BESIDE);
        let place = beside.join(&first.sha256[..2]).join(&first.sha256[2..]);
        std::fs::write(&place, b"another picture").unwrap();
        assert_eq!(files.rendition(&sha256, 10_000, &recipe).await.unwrap(), first);
        std::fs::remove_dir_all(&beside).unwrap();
        assert_eq!(files.rendition(&sha256, 10_000, &recipe).await.unwrap(), first);

        let text = files.put(&Bytes::from_static(b"no picture")).await.unwrap();
        assert!(matches!(files.rendition(&text, 10, &recipe).await, Err(Error::Unfit { .. })));
    }
}
