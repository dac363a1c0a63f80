//! `chancery migrate`: brings the database up to date.

use super::exit::{Failure, say};
use crate::app;
use crate::config::Config;
use crate::store::SCHEMA_VERSION;

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let store = app::open_store(config).await?;
    store.migrate().await?;
    store.close().await;
    say(format_args!("the database has schema step {SCHEMA_VERSION}"))
}
