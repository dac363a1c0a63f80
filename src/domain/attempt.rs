//! One try of a delivery: the intent before the first byte, the outcome after the last.

use serde::{Deserialize, Serialize};

use super::words;

words! {
    /// How an attempt ended. `Open` means that nobody knows yet.
    AttemptOutcome {
        /// Written before the first byte; still open after a crash.
        Open = "open",
        /// The platform gave an id, or the post was found by reading back.
        Published = "published",
        /// The platform took it and is still processing; polled, never sent again.
        Pending = "pending",
        /// Definitely not created, and trying again would not help.
        Refused = "refused",
        /// Definitely not created; may be tried again later.
        Deferred = "deferred",
        /// The platform may or may not have it.
        Unknown = "unknown",
        /// Reading back showed that it was not created.
        Absent = "absent",
        /// Taken back before the first byte left, by a cancel, a reschedule or a stop.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// How far a request got; what decides whether a failure can have created a post.
    Reach {
        /// No byte of the request left us: name resolution, connect or TLS failed.
        NotConnected = "not_connected",
        /// The head was handed to a connection; the body was not complete.
        HeadersStarted = "headers_started",
        /// The whole request was handed over; no answer began.
        BodyComplete = "body_complete",
        /// The answer began to arrive.
        AnswerStarted = "answer_started",
    }
}

/// The platform's word for what went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The platform's id of the post, as text.
    pub remote_id: String,
    /// Where a person can see it.
    pub permalink: Option<String>,
    /// When the platform says it was published.
    pub published_at: jiff::Timestamp,
}
