//! Logs and metrics: names, set-up, and how an error is printed with its causes.

mod logs;
mod registry;

use std::error::Error;
use std::fmt;

pub use logs::{FIELDS, LogsError, install_logs};
pub use registry::{Kind, METRICS, Metric, Metrics, MetricsError, install_metrics};

/// Prints an error and all its sources, outermost first.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn every_cause_is_printed_outermost_first() {
        let error = Layer(
            "sending",
            Some(Box::new(Layer("connecting", Some(Box::new(Layer("refused", None)))))),
        );
        assert_eq!(Chain(&error).to_string(), "sending: connecting: refused");
    }
}
