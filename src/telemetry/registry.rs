//! The metrics there are, and the page that Prometheus reads.

use std::sync::{Mutex, PoisonError};

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often values fell below each of these bounds.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name; never changed, since alert rules depend on it.
    pub name: &'static str,
    /// What it counts.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

/// Bounds for how late a delivery left.
const LATENESS: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// Bounds for calls and transactions.
const SPANS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0,
    60.0,
];

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, labels, help }
}

/// Every metric of the program; `docs/logging.md` and the alert rules use these names.
pub const METRICS: &[Metric] = &[
    metric(
        "chancery_deliveries_total",
        Kind::Counter,
        &["platform", "outcome"],
        "Attempts that ended, by outcome",
    ),
    metric(
        "chancery_delivery_lateness_seconds",
        Kind::Histogram(LATENESS),
        &[],
        "From the due instant to the first byte of the create",
    ),
    metric(
        "chancery_oldest_due_seconds",
        Kind::Gauge,
        &[],
        "How long the oldest due delivery has been waiting; 0 when none waits",
    ),
    metric(
        "chancery_deliveries_needing_human",
        Kind::Gauge,
        &[],
        "Deliveries that wait for a person to decide",
    ),
    metric(
        "chancery_deliveries_unknown",
        Kind::Gauge,
        &[],
        "Deliveries of which nobody knows yet whether the platform has them",
    ),
    metric(
        "chancery_circuits_open",
        Kind::Gauge,
        &["platform", "reason"],
        "Platforms and accounts that are left alone because they do not answer or refuse alike",
    ),
    metric(
        "chancery_incidents_total",
        Kind::Counter,
        &["platform"],
        "Incidents of whole platforms: several accounts refused alike",
    ),
    metric(
        "chancery_deliveries_stuck",
        Kind::Gauge,
        &["state"],
        "Deliveries that are on their way or in doubt for longer than can be; at most 100 are counted",
    ),
    metric(
        "chancery_quarantined",
        Kind::Gauge,
        &[],
        "1 while a database that came back from a backup sends nothing",
    ),
    metric(
        "chancery_invariant_violations",
        Kind::Gauge,
        &["invariant"],
        "Broken promises that the service has found in its own database within a day",
    ),
    metric(
        "chancery_publishing_late",
        Kind::Gauge,
        &[],
        "1 while the oldest due delivery is later than notify.late_after",
    ),
    metric(
        "chancery_clock_apart_seconds",
        Kind::Gauge,
        &[],
        "How far the machine's clock has stepped ahead of the time that counts; 0 when it is followed",
    ),
    metric(
        "chancery_media_store_up",
        Kind::Gauge,
        &[],
        "Whether the store of media answers; only there when media are kept elsewhere",
    ),
    metric(
        "chancery_clock_in_doubt",
        Kind::Gauge,
        &["platform"],
        "1 while nothing is sent to a platform because its time and ours do not agree",
    ),
    metric(
        "chancery_messages_total",
        Kind::Counter,
        &["event"],
        "Messages made of what happened, for inboxes, webhooks and mail",
    ),
    metric(
        "chancery_messages_behind",
        Kind::Gauge,
        &[],
        "Audit entries that no messages were made of yet",
    ),
    metric(
        "chancery_verifications_total",
        Kind::Counter,
        &["platform", "outcome"],
        "Looks whether a published post is still there",
    ),
    metric(
        "chancery_recalls_total",
        Kind::Counter,
        &["platform", "outcome"],
        "Tries to delete a published post that somebody wants to be recalled",
    ),
    metric(
        "chancery_corrections_total",
        Kind::Counter,
        &["platform", "outcome"],
        "Tries to give a published post the text that somebody wants it to have",
    ),
    metric(
        "chancery_refreshes_total",
        Kind::Counter,
        &["platform", "outcome"],
        "Refresh tokens that were presented to a platform, by what came of them",
    ),
    metric(
        "chancery_probes_total",
        Kind::Counter,
        &["platform", "outcome"],
        "Questions what an account's access is worth, by what the answers have shown",
    ),
    metric(
        "chancery_foreign_reads_total",
        Kind::Counter,
        &["platform", "outcome"],
        "Readings of accounts for posts that did not come from here, by what came of them",
    ),
    metric(
        "chancery_foreign_found_total",
        Kind::Counter,
        &["platform"],
        "Posts found on accounts that did not come from here",
    ),
    metric(
        "chancery_foreign_posts",
        Kind::Gauge,
        &["platform"],
        "Posts that did not come from here and that nobody has explained",
    ),
    metric(
        "chancery_webhook_tries_total",
        Kind::Counter,
        &["outcome"],
        "Tries to tell a webhook, by what came of them",
    ),
    metric(
        "chancery_mails_total",
        Kind::Counter,
        &["outcome"],
        "Tries to hand a mail to the mail server, by what came of them",
    ),
    metric(
        "chancery_spent_usd",
        Kind::Gauge,
        &["platform"],
        "What creates have cost in this month, in US dollars",
    ),
    metric(
        "chancery_budget_usd",
        Kind::Gauge,
        &["platform"],
        "What creates may cost in a month, in US dollars, where that is limited",
    ),
    metric(
        "chancery_version_days_left",
        Kind::Gauge,
        &["platform"],
        "Days for which the version of a platform's interface works that is in use",
    ),
    metric("chancery_holds_active", Kind::Gauge, &[], "Holds that stand"),
    metric("chancery_jobs", Kind::Gauge, &["kind", "state"], "Jobs in the queue"),
    metric(
        "chancery_attempt_seconds",
        Kind::Histogram(SPANS),
        &["platform"],
        "How long an attempt took, from intent to outcome",
    ),
    metric(
        "chancery_http_requests_total",
        Kind::Counter,
        &["method", "route", "status"],
        "Calls of the API that were answered",
    ),
    metric(
        "chancery_http_request_seconds",
        Kind::Histogram(SPANS),
        &["method", "route"],
        "How long answering a call of the API took",
    ),
    metric(
        "chancery_outbound_requests_total",
        Kind::Counter,
        &["platform", "kind", "reach"],
        "Requests to platforms, by how far they got",
    ),
    metric(
        "chancery_store_transactions_total",
        Kind::Counter,
        &["purpose", "result"],
        "Transactions of the database that changed something",
    ),
    metric(
        "chancery_store_commit_seconds",
        Kind::Histogram(SPANS),
        &[],
        "How long a commit took, with its wait for the disk",
    ),
    metric(
        "chancery_build_info",
        Kind::Gauge,
        &["version", "schema"],
        "Always 1; its labels say what runs",
    ),
];

/// Why metrics could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("metrics could not be set up")]
pub struct MetricsError(#[source] BuildError);

/// The metrics of this process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// The page that Prometheus reads.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Sorts what was measured into its bounds. To be called every few seconds: values are kept one
    /// by one until then, and nobody may be reading the page.
    pub fn sort_in(&self) {
        self.0.run_upkeep();
    }
}

/// Starts counting; a second call in the same process gives the same metrics.
pub fn install_metrics(schema: i64) -> Result<Metrics, MetricsError> {
    static INSTALLED: Mutex<Option<Metrics>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(metrics) = installed.as_ref() {
        return Ok(metrics.clone());
    }
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(bounds) = metric.kind {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)
                .map_err(MetricsError)?;
        }
    }
    let metrics = Metrics(builder.install_recorder().map_err(MetricsError)?);
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.help),
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    metrics::gauge!("chancery_build_info", "version" => version, "schema" => schema.to_string())
        .set(1.0);
    *installed = Some(metrics.clone());
    Ok(metrics)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_shows_what_was_measured() {
        let metrics = install_metrics(1).unwrap();
        metrics::histogram!("chancery_delivery_lateness_seconds").record(0.003);
        metrics::counter!("chancery_deliveries_total", "platform" => "p", "outcome" => "published")
            .increment(2);
        metrics.sort_in();
        let page = install_metrics(1).unwrap().render();
        for line in [
            "chancery_deliveries_total{platform=\"p\",outcome=\"published\"} 2",
            "# HELP chancery_deliveries_total Attempts that ended, by outcome",
            "# TYPE chancery_delivery_lateness_seconds histogram",
            "chancery_delivery_lateness_seconds_bucket{le=\"0.002\"} 0",
            "chancery_delivery_lateness_seconds_bucket{le=\"0.005\"} 1",
            "chancery_delivery_lateness_seconds_bucket{le=\"300\"} 1",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
        assert!(page.contains("chancery_build_info{version=\"0.1.0\",schema=\"1\"} 1"), "{page}");
    }

    /// The words of all Rust files below `folder` that look like a metric's name, with their file.
    fn named(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for part in text.split("\"chancery_").skip(1) {
                    let name = part.split('"').next().unwrap_or_default();
                    if !name.is_empty()
                        && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
                    {
                        found.push((format!("chancery_{name}"), path.display().to_string()));
                    }
                }
            }
        }
    }

    #[test]
    fn every_metric_that_is_counted_is_listed() {
        let mut found = Vec::new();
        named(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() > METRICS.len(), "the sources were not found");
        for (name, file) in found {
            assert!(METRICS.iter().any(|metric| metric.name == name), "{file}: {name}");
        }
    }
}
