//! Hints from one node to the others over PostgreSQL. They may be lost at any time: whoever relies on
//! one must find out by himself in the end.

use std::time::Duration;

use sqlx::postgres::PgListener;

use super::db::Db;
use super::error::Error;
use super::session::{Server, within};
use super::sql::{on, statements};
use super::{Store, installation};
use crate::clock::{Clock as _, SystemClock};

/// The longest that a server takes in one hint.
pub const LONGEST: usize = 7_900;

/// How often a line on which nothing is heard is tried.
const PROBE: Duration = Duration::from_secs(30);

statements! {
    TELL = "SELECT '' WHERE $1 = $2" | "SELECT CAST(pg_notify($1, $2) AS TEXT)";
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A hint of some node, perhaps of this one.
    Hint(String),
    /// The line was broken: hints may have been lost.
    Gap,
}

/// The line to all nodes of the installation.
#[derive(Debug, Clone)]
pub struct Line {
    store: Store,
    server: Server,
    /// Of this installation alone: a server may have several.
    channel: String,
}

/// Somebody who listens.
#[derive(Debug)]
pub struct Listener {
    inner: PgListener,
    channel: String,
    longest: Duration,
}

impl Store {
    /// The line to the other nodes; `None` where there can be none.
    pub async fn line(&self) -> Result<Option<Line>, Error> {
        let Db::Postgres(server) = &self.inner.db else { return Ok(None) };
        let Some(installation) = installation::find(&mut self.read().await?).await? else {
            return Ok(None);
        };
        let channel = format!("chancery_{}", installation.generation);
        Ok(Some(Line { store: self.clone(), server: server.clone(), channel }))
    }
}

impl Line {
    /// Tells all nodes, this one too.
    pub async fn tell(&self, hint: &str) -> Result<(), Error> {
        let mut reader = self.store.read().await?;
        on!(reader, TELL, |sql, conn| {
            sqlx::query(sql).bind(&self.channel).bind(hint).execute(conn).await?;
        });
        Ok(())
    }

    /// Begins to listen.
    pub async fn listen(&self) -> Result<Listener, Error> {
        let inner = within(self.server.longest(), async {
            // A new one each time: what does not answer never comes back to its pool.
            let mut inner = PgListener::connect_with(&self.server.alone()?).await?;
            inner.listen(&self.channel).await?;
            Ok(inner)
        })
        .await?;
        Ok(Listener { inner, channel: self.channel.clone(), longest: self.server.longest() })
    }
}

impl Listener {
    /// What is heard next. After an error the listener is of no use any more.
    pub async fn next(&mut self) -> Result<Heard, Error> {
        loop {
            tokio::select! {
                heard = self.inner.try_recv() => {
                    let heard = heard?.map(|hint| Heard::Hint(hint.payload().to_owned()));
                    return Ok(heard.unwrap_or(Heard::Gap));
                }
                () = SystemClock.sleep(PROBE) => {}
            }
            // A line that is dead looks like one on which nobody speaks.
            within(self.longest, async { Ok(self.inner.listen(&self.channel).await?) }).await?;
        }
    }
}
