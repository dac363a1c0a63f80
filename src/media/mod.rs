//! Media: files by the hash of their content, on the disk or in a bucket, and what looking into them tells.

#[cfg(feature = "s3")]
mod bucket;
#[cfg(not(feature = "s3"))]
#[path = "no_bucket.rs"]
mod bucket;
#[cfg(feature = "s3")]
mod carrier;
mod files;
mod incoming;
mod inspect;
mod opened;
mod owner;
mod place;
mod render;
mod rendition;
mod resumable;
mod trouble;
mod video;

pub use files::{Error, Files, MEDIA};
pub use incoming::{Incoming, Received};
pub use inspect::{Guess, TELLING, Unfit, guess, inspect, inspect_video};
pub use opened::{Opened, Quiet};
pub use owner::Owner;
pub use render::{Recipe, Rendered, render};
pub use rendition::Rendition;
pub use resumable::{Appending, NoTurn, Resumables};
