//! Tests through the front door: the real server, real HTTP, simulated platforms, both databases.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod badinput;
#[cfg(test)]
mod check;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod media;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod posts;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod units;
#[cfg(test)]
mod world;
