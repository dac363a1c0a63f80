//! The Graph API's budget of calls: headers that rise, throttling, and blocks that lengthen when
//! they are ignored (Graph rate-limiting guide, captured 2026-08-23).

use std::time::Duration;

use serde_json::json;

use super::Context;
use super::errors::GraphError;
use crate::clock;
use crate::simulator::{Allowance, Reply, Window};

/// Calls per engaged user and day.
const CALLS_PER_ENGAGED_USER: u64 = 4_800;
const DAY_S: u64 = 24 * 3600;
/// How much longer a block becomes with each call that ignores it; the guide names no number.
const LENGTHEN: Duration = Duration::from_mins(1);

/// Counts one call; gives the percentage of the budget that is used.
pub(super) fn count(context: &Context<'_>) -> Result<u64, GraphError> {
    if !context.settings.rate_limits {
        return Ok(0);
    }
    let now = context.world.now();
    let calls = CALLS_PER_ENGAGED_USER * context.account.profile.engaged_users.max(1);
    let mut state = context.account.lock();
    // A fixed day stands in for the rolling one: it is never more generous at its end.
    let window =
        Window::count(&mut state.windows, "pages", Allowance { calls, seconds: DAY_S }, now);
    let percent = window.used.saturating_mul(100) / calls;
    if window.used > calls && state.blocked_until.is_none_or(|until| until <= now) {
        state.blocked_until = Some(window.ends_at);
    }
    match state.blocked_until.filter(|until| *until > now) {
        None => Ok(percent),
        Some(until) => {
            state.blocked_until = Some(clock::after(until, LENGTHEN));
            Err(GraphError::known(80001, None))
        }
    }
}

/// Minutes until a throttled account may call again.
pub(super) fn minutes_left(context: &Context<'_>) -> u64 {
    let now = context.world.now();
    let until = context.account.lock().blocked_until.unwrap_or(now);
    clock::until(now, until).as_secs().div_ceil(60)
}

pub(super) fn with_header(reply: Reply, page: &str, percent: u64, minutes: u64) -> Reply {
    let usage = json!({ page: [{
        "type": "pages",
        "call_count": percent,
        "total_cputime": percent / 2,
        "total_time": percent / 2,
        "estimated_time_to_regain_access": minutes,
    }] });
    reply.with_header("x-business-use-case-usage", usage.to_string())
}

/// A budget that is used up.
pub(super) fn full(reply: Reply, page: &str, minutes: u64) -> Reply {
    with_header(reply, page, 100, minutes)
}

/// The header that belongs to a throttling code; none for other codes.
pub(super) fn with_fitting_header(reply: Reply, code: u32, page: &str) -> Reply {
    match code {
        4 | 17 | 341 => {
            let usage = json!({ "call_count": 100, "total_time": 60, "total_cputime": 60 });
            reply.with_header("x-app-usage", usage.to_string())
        }
        32 | 613 | 80001 | 80002 => full(reply, page, 5),
        _ => reply,
    }
}
