//! Tests through the front door: the real server, real HTTP, simulated platforms, both databases.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod badinput;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod media;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod units;
#[cfg(test)]
mod world;
