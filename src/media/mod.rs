//! Media: files on disk by the hash of their content, and what looking into them tells.

mod files;
mod incoming;
mod inspect;
mod opened;
mod render;
mod rendition;
mod resumable;
mod video;

pub use files::{Error, Files};
pub use incoming::{Incoming, Received};
pub use inspect::{Guess, TELLING, Unfit, guess, inspect, inspect_video};
pub use opened::{Opened, Quiet};
pub use render::{Recipe, Rendered, render};
pub use rendition::Rendition;
pub use resumable::{Appending, NoTurn, Resumables};
