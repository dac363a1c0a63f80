//! Chancery: the publishing desk of a foreign ministry.
//!
//! The modules in layer order, lowest first; `docs/architecture.md` has the picture and the edges
//! that are allowed between them.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash;
pub mod domain;
pub mod engine;
pub mod media;
pub mod outbound;
pub mod platforms;
pub mod queue;
pub mod service;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod vault;
