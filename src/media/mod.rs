//! Media: files on disk by the hash of their content, and what looking into them tells.

mod files;
mod inspect;

pub use files::{Error, Files};
pub use inspect::{Unfit, inspect};
