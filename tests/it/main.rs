//! Tests through the front door: the real server, real HTTP, simulated platforms, both databases.

mod accounts;
mod badinput;
mod idempotency;
mod media;
mod openapi;
mod problems;
mod tokens;
mod units;
mod world;
