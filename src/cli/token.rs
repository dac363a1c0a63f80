//! `chancery token create`: a new API token, printed once, alone on the last line.

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Span};

use super::exit::{Failure, say};
use crate::app::App;
use crate::config::Config;
use crate::service::tokens::{self, NewToken};
use crate::service::{Caller, people};

/// What to do about tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Makes a token and prints it, once, alone on the last line.
    Create(Create),
}

/// A token.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Whose it is to be.
    #[arg(long)]
    email: String,
    /// What its owner calls it.
    #[arg(long)]
    name: String,
    /// What it carries, such as `posts:write,deliveries:read`; everything that its owner may when
    /// not said.
    #[arg(long, value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// When it ends, such as `90d` or `12h`.
    #[arg(long, default_value = "90d", value_parser = span)]
    expires: SignedDuration,
}

fn span(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("{text:?} is not a span such as 90d, 12h or 30m");
    let span: Span = text.parse().map_err(|_unreadable| wrong())?;
    let span = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|_unreadable| wrong())?;
    if span.is_positive() { Ok(span) } else { Err(wrong()) }
}

pub(super) async fn run(config: Config, token: Token) -> Result<(), Failure> {
    let Token::Create(create) = token;
    let services = App::services(config).await?;
    let actor = people::at_the_console(&services, &create.email).await.map_err(|error| {
        let hint = format!("nobody has the address {}; see chancery admin create", create.email);
        if matches!(error, crate::service::Error::NotFound) {
            Failure::usage(hint)
        } else {
            Failure::service(&error)
        }
    })?;
    let caller = Caller { actor, idempotency: None, request_id: "console".to_owned() };
    let expires_at = services.clock.now().checked_add(create.expires).ok();
    let new = NewToken {
        name: create.name,
        person_id: None,
        scopes: create.scopes,
        accounts: None,
        expires_at,
    };
    let made = tokens::create(&services, &caller, new).await;
    services.store.close().await;
    let made = made.map_err(|error| Failure::service(&error))?.value;
    say(made.token.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_or_refused() {
        assert_eq!(span("90d").unwrap(), SignedDuration::from_hours(90 * 24));
        assert_eq!(span("30m").unwrap(), SignedDuration::from_mins(30));
        for wrong in ["", "soon", "-1d", "0s"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
