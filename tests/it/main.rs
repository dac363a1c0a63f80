//! Tests on the whole service: real HTTP, simulated platforms, both databases. `world` is for what the
//! front door promises, `stage` for what publishing does.

#[cfg(test)]
mod account_health;
#[cfg(test)]
mod accounts;
#[cfg(test)]
mod after;
#[cfg(test)]
mod ahead;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod badinput;
#[cfg(feature = "s3")]
#[cfg(test)]
mod bucket;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod calendar;
#[cfg(test)]
mod calendar_export;
#[cfg(test)]
mod campaigns;
#[cfg(test)]
mod catch_up;
#[cfg(test)]
mod check;
#[cfg(test)]
mod circuits;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod comments;
#[cfg(test)]
mod connect;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod corrections;
#[cfg(test)]
mod crafted;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod doubts;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod embargoes;
#[cfg(test)]
mod factors;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod feeds;
#[cfg(test)]
mod films;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod inspection;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod kits;
#[cfg(test)]
mod languages;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod leavers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod long_posts;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod mail_tls;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod media;
#[cfg(test)]
mod money;
#[cfg(test)]
mod moved;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod oauth1;
#[cfg(test)]
mod open_platforms;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod page_films;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod pds;
#[cfg(test)]
mod people;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod polls;
#[cfg(test)]
mod posts;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod races;
#[cfg(test)]
mod read_back;
#[cfg(test)]
mod recall;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod reminded;
#[cfg(test)]
mod reminders;
#[cfg(test)]
mod renditions;
#[cfg(test)]
mod renewed;
#[cfg(test)]
mod rescue;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod search;
#[cfg(test)]
mod self_audit;
#[cfg(test)]
mod series;
#[cfg(test)]
mod series_api;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod settling;
#[cfg(test)]
mod skew;
// Lies beside this folder, because `tests/model` stands on it too.
#[cfg(test)]
#[path = "../stage/mod.rs"]
mod stage;
#[cfg(test)]
mod starving;
#[cfg(test)]
mod stop_races;
#[cfg(test)]
mod stop_rights;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod sunset;
#[cfg(test)]
mod term_base;
#[cfg(test)]
mod terms;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod translations;
#[cfg(test)]
mod two_steps;
#[cfg(test)]
mod units;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world;
