//! Media: files on disk by the hash of their content.

mod files;

pub use files::{Error, Files};
