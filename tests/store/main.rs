//! Conformance of the store: both databases do the same, and neither is opened when that is unsafe.
//!
//! PostgreSQL is the one that `CHANCERY_TEST_POSTGRES` names; `tests/tools/postgres.sh start` brings
//! one up. Each test has a schema of its own there, and a directory of its own for SQLite.

#[cfg(test)]
mod after;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod brakes;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod constraints;
#[cfg(test)]
mod corrections;
#[cfg(test)]
mod database;
#[cfg(test)]
mod follow_ups;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod instants;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod order;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod planned;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod refreshes;
#[cfg(test)]
mod reminders;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod self_audit;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod zones;
