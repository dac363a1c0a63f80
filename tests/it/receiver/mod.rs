//! The other side of follow-ups: a program that is told by webhook, and a mail server.

mod hook;
mod smtp;

pub(crate) use hook::{Hook, Mood};
pub(crate) use smtp::{Guarded, Post, Temper};
