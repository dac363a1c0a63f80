//! Writes down what a look for a doubtful attempt has found out.

use jiff::Timestamp;
use serde_json::json;

use super::batch::Batch;
use super::outcomes::{learns_nothing, problem};
use super::publish::{moved, waiting_for};
use super::reconcile::{Decision, Search};
use crate::domain::attempt::{AttemptOutcome, Receipt};
use crate::domain::delivery::{DeliveryState, Event};
use crate::platforms::outcome::{Lookup, Refusal};
use crate::store::outcomes::{Close, Learn, Move};

pub(super) fn still_waiting(search: &Search, lookup: &Lookup, at: Timestamp) -> Move {
    let seen = match lookup {
        Lookup::CannotSee { detail, .. } => format!("the account cannot be read ({detail})"),
        Lookup::Absent => "not seen yet".to_owned(),
        Lookup::Similar(_) => "not seen yet, but a text that is much like it".to_owned(),
        Lookup::Processing { detail } => format!("the platform is working on it ({detail})"),
        Lookup::NotPublic => "it is there and not public yet".to_owned(),
        Lookup::Found(_) | Lookup::Several(_) | Lookup::Failed(_) => "seen".to_owned(),
    };
    Move {
        waits_for: waiting_for("reconcile", format!("{seen}; looked for again at {at}")),
        ..Move::stay(search.prepared.delivery_id.clone(), DeliveryState::Unknown)
    }
}

fn close(search: &Search, outcome: AttemptOutcome) -> Close {
    Close {
        id: search.attempt.id.clone(),
        from: search.attempt.outcome,
        outcome,
        reach: None,
        detail: None,
        sent_ms: None,
    }
}

pub(super) fn newest_known(search: &Search, receipt: &Receipt) -> Learn {
    Learn { high_water: Some(receipt.remote_id.clone()), ..learns_nothing(&search.prepared) }
}

/// Writes a decision that ends the search.
pub(super) fn conclude(batch: &mut Batch, search: &Search, decision: &Decision) {
    match decision {
        Decision::LookAgain(_) => {}
        Decision::Adopt(receipt) => adopt(batch, search, receipt),
        Decision::SendAgain => send_again(batch, search),
        Decision::Fail(refusal) => fail(batch, search, refusal),
        Decision::Ask(code, detail) => ask(batch, search, code, detail),
    }
}

fn adopt(batch: &mut Batch, search: &Search, receipt: &Receipt) {
    let change = Move {
        remote_id: Some(receipt.remote_id.clone()),
        permalink: receipt.permalink.clone(),
        published_ms: Some(receipt.published_at),
        ..moved(&search.prepared, DeliveryState::Unknown, Event::Found)
    };
    let detail = json!({"remote_id": receipt.remote_id, "source": "reconcile"});
    batch.add(close(search, AttemptOutcome::Published), change, detail);
}

fn send_again(batch: &mut Batch, search: &Search) {
    let change = Move {
        waits_for: waiting_for("due", "it was not created; sent again"),
        ..moved(&search.prepared, DeliveryState::Unknown, Event::Absent)
    };
    let detail = json!({"code": "absent", "source": "reconcile"});
    batch.add(close(search, AttemptOutcome::Absent), change, detail);
}

pub(super) fn ask(batch: &mut Batch, search: &Search, code: &str, detail: &str) {
    let hint = "look at the live account, then adopt the post, send again or drop";
    let change = Move {
        problem: Some(problem(code, detail, hint)),
        waits_for: waiting_for("person", detail),
        ..moved(&search.prepared, DeliveryState::Unknown, Event::NeedsPerson)
    };
    let told = json!({"code": code, "detail": detail, "source": "reconcile"});
    // The attempt stays unknown: nobody has found out.
    batch.add(close(search, AttemptOutcome::Unknown), change, told);
}

fn fail(batch: &mut Batch, search: &Search, refusal: &Refusal) {
    let said = format!("the platform could not make it ({}): {}", refusal.code, refusal.detail);
    let hint = "hand in the film again, saved by another program, and schedule the post again";
    let change = Move {
        problem: Some(problem("processing_failed", &said, hint)),
        ..moved(&search.prepared, DeliveryState::Unknown, Event::Refused)
    };
    let told = json!({"code": refusal.code, "detail": refusal.detail, "source": "reconcile"});
    batch.add(close(search, AttemptOutcome::Refused), change, told);
}
