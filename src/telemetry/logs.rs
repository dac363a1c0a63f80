//! Log lines: one format for people, one for collectors, and field names that never change.

use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;

use crate::config;

/// Field names with their meaning. The same thing has the same name in every line, so that one
/// filter finds a delivery's whole way; `docs/logging.md` lists them too.
pub const FIELDS: &[(&str, &str)] = &[
    ("delivery.id", "one variant on its way to one account"),
    ("attempt.id", "one try of a delivery"),
    ("post.id", "the post that a delivery carries"),
    ("series", "the series that makes deliveries of a post"),
    ("account.id", "the account that is published to"),
    ("unit.id", "the ministry's department or mission"),
    ("job.id", "a piece of work in the queue"),
    ("job.kind", "what kind of work that is"),
    ("request.id", "one call of the API, as the client was told it"),
    ("actor.id", "who called"),
    ("client.address", "where many bad tokens came from"),
    ("platform", "the platform's id"),
    ("node.id", "the process that writes the line"),
    ("error", "what failed, with all its causes"),
];

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The filter cannot be read.
    #[error("telemetry.log_level cannot be read")]
    Filter(#[source] ParseError),
    /// Logs were set up before in this process.
    #[error("logs are set up already")]
    Installed,
}

/// Sends log lines to standard error from now on; standard output belongs to the commands.
pub fn install_logs(settings: &config::Telemetry) -> Result<(), LogsError> {
    let subscriber = subscriber(settings, io::stderr, io::stderr().is_terminal())?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_second| LogsError::Installed)
}

fn subscriber<W>(
    settings: &config::Telemetry,
    writer: W,
    colours: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, LogsError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.log_level).map_err(LogsError::Filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match settings.log_format {
        config::LogFormat::Text => Box::new(lines.with_ansi(colours).finish()),
        config::LogFormat::Json => {
            Box::new(lines.with_ansi(false).json().flatten_event(true).finish())
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(log_format: config::LogFormat, log_level: &str) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let settings = config::Telemetry { log_format, log_level: log_level.to_owned() };
        let subscriber = subscriber(&settings, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("publish", delivery.id = "dlv_1", platform = "x");
            let _inside = span.enter();
            tracing::warn!(attempt.id = "att_1", "the outcome is not known\nof this");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_has_the_fields_under_their_fixed_names() {
        let text = line(config::LogFormat::Json, "info");
        assert_eq!(text.lines().count(), 1, "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["attempt.id"], "att_1");
        assert_eq!(json["span"]["delivery.id"], "dlv_1");
        assert_eq!(json["level"], "WARN");
        for used in ["attempt.id", "delivery.id", "platform"] {
            assert!(FIELDS.iter().any(|(name, _)| *name == used), "{used}");
        }
    }

    #[test]
    fn a_text_line_can_be_read_and_the_level_is_kept() {
        let text = line(config::LogFormat::Text, "info");
        assert!(text.contains("delivery.id=\"dlv_1\"") && text.contains("WARN"), "{text}");
        assert_eq!(line(config::LogFormat::Text, "error"), "");
    }
}
