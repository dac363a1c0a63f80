//! X's rate limits and the headers that tell of them (X API rate limits, read 2026-09-11; the
//! 24-hour headers are undocumented and were reported by several clients).

use std::time::Duration;

use jiff::Timestamp;

use super::Context;
use crate::clock;
use crate::simulator::{Allowance, Exhausted, Reply, Window};

const DAY_S: u64 = 24 * 3600;
const QUARTER: Duration = Duration::from_mins(15);

type Headers = Vec<(&'static str, String)>;

/// The names of one group of three headers: limit, remaining, reset.
type Names = [&'static str; 3];

const ENDPOINT: Names = ["x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"];
const USER_DAY: Names =
    ["x-user-limit-24hour-limit", "x-user-limit-24hour-remaining", "x-user-limit-24hour-reset"];
const APP_DAY: Names =
    ["x-app-limit-24hour-limit", "x-app-limit-24hour-remaining", "x-app-limit-24hour-reset"];

/// Counts one call; gives the headers and whether it is allowed.
pub(super) fn count(context: &Context<'_>, endpoint: &str) -> (Headers, bool) {
    let mut headers = Vec::new();
    let now = context.world.now();
    let Some(limits) = context.settings.x.limits.get(endpoint) else {
        return (headers, true);
    };
    let counting = context.settings.rate_limits;
    let unused = |allowance: Allowance| Window {
        ends_at: clock::after(now, Duration::from_secs(allowance.seconds)),
        used: 0,
    };
    let mut allowed = true;
    if let Some(allowance) = limits.user {
        let window = if counting {
            Window::count(&mut context.account.lock().windows, endpoint, allowance, now)
        } else {
            unused(allowance)
        };
        allowed &= window.used <= allowance.calls;
        tell(&mut headers, ENDPOINT, allowance, window);
    }
    if let Some(allowance) = limits.app {
        let window = if counting {
            context.world.count_for_app(endpoint, allowance, now)
        } else {
            unused(allowance)
        };
        let within = window.used <= allowance.calls;
        if allowance.seconds >= DAY_S {
            tell(&mut headers, APP_DAY, allowance, window);
        } else if !within && allowed {
            // There is one group for the window: it tells of the limit that was met.
            headers.clear();
            tell(&mut headers, ENDPOINT, allowance, window);
        }
        allowed &= within;
    }
    (headers, allowed)
}

fn tell(headers: &mut Headers, names: Names, allowance: Allowance, window: Window) {
    let remaining = allowance.calls.saturating_sub(window.used);
    headers.extend(group(names, allowance.calls, remaining, window.ends_at));
}

fn group(names: Names, limit: u64, remaining: u64, reset: Timestamp) -> Headers {
    // Rounded up: a reset that is told too early would provoke the next refusal.
    let reset = reset.as_second() + i64::from(reset.subsec_nanosecond() > 0);
    let values = [limit.to_string(), remaining.to_string(), reset.to_string()];
    names.into_iter().zip(values).collect()
}

fn add(reply: Reply, headers: Headers) -> Reply {
    headers.into_iter().fold(reply, |reply, (name, value)| reply.with_header(name, value))
}

/// Headers of a call that met no limit.
pub(super) fn plenty(reply: Reply, now: Timestamp) -> Reply {
    add(reply, group(ENDPOINT, 100, 99, clock::after(now, QUARTER)))
}

/// Headers of a call that met the limit named, and only that one.
pub(super) fn exhausted(reply: Reply, now: Timestamp, seconds: u64, which: Exhausted) -> Reply {
    let reset = clock::after(now, Duration::from_secs(seconds));
    let window = group(ENDPOINT, 100, 57, clock::after(now, QUARTER));
    match which {
        Exhausted::Window => add(reply, group(ENDPOINT, 100, 0, reset)),
        Exhausted::UserDay => {
            let reply = add(add(reply, window), group(USER_DAY, 100, 0, reset));
            add(reply, group(APP_DAY, 10_000, 9_000, reset))
        }
        Exhausted::AppDay => {
            let reply = add(add(reply, window), group(USER_DAY, 100, 40, reset));
            add(reply, group(APP_DAY, 10_000, 0, reset))
        }
    }
}
