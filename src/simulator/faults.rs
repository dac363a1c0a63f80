//! What goes wrong on purpose: faults wait in a queue until a call that they fit arrives.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::records::Platform;

/// What a call is for, as far as faults care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Makes a post.
    Create,
    /// Reads posts back.
    Read,
    /// Brings a picture or its description.
    Upload,
    /// Asks who the token belongs to, or about an account.
    Identity,
    /// Changes or deletes something.
    Change,
    /// Exchanges a code, refreshes a token or takes one back.
    Token,
    /// All of these; only in a fault.
    Any,
}

/// How a post that was just made cannot be read by its id for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// "Does not exist": Graph code 100 with subcode 33.
    Missing,
    /// "No permission": Graph code 10.
    Forbidden,
}

/// Which group of rate headers is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exhausted {
    /// The endpoint's own window.
    Window,
    /// Only the user's 24 hours.
    UserDay,
    /// Only the application's 24 hours.
    AppDay,
}

/// The refusals of X that no ordinary call provokes here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// 403, the text that X uses for duplicates.
    Duplicate,
    /// 402 as reported in May and June 2026.
    CreditsDepleted,
    /// 402 as a problem document.
    PaymentRequired,
    /// 403, not permitted to perform this action.
    NotPermitted,
    /// 403, the reply rule.
    ReplyRule,
    /// 403, the client is not enrolled.
    ClientForbidden,
    /// 403, this kind of token is not accepted.
    UnsupportedAuthentication,
    /// 403, the app lacks the OAuth 1.0a permission.
    Oauth1Permissions,
    /// 403, the account is suspended.
    UserSuspended,
    /// 429, the day's cap of the product is used up.
    UsageCapped,
    /// 429 in the old shape, code 88.
    OldRateLimit,
    /// 401.
    Unauthorized,
}

/// What happens to the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// The connection closes before anything is done.
    DropBefore,
    /// It is done, then the connection closes without an answer.
    DropAfter,
    /// It is done, and the connection closes after so many bytes of the answer.
    CutAnswer { bytes: u32 },
    /// 500 with Graph code 2, or X's 503.
    ServerError { execute: bool },
    /// Nothing is done, and nothing is said for so long; then the connection closes.
    HangBefore { ms: u64 },
    /// It is done, and the true answer comes so much later.
    HangAfter { ms: u64 },
    /// It is done so much later, even if the client has gone; the connection then closes.
    Late { ms: u64 },
    /// It is done, and the answer comes one byte at a time with such pauses.
    SlowDrip { ms: u64 },
    /// 502 with an HTML page.
    Html { execute: bool },
    /// It is done, and a good status comes with only so many bytes of the body.
    Truncate { bytes: usize },
    /// It is done, and the good answer has no id.
    WithoutId,
    /// It is done, and the good answer has no body.
    Empty,
    /// It is done, and the good answer has a body of so many bytes.
    Huge { bytes: u64 },
    /// 307 to the same address; nothing is done.
    Redirect,
    /// It is done, but lists show the post only after so long.
    Lag { ms: u64 },
    /// It is done, but the post cannot be read by its id for so long.
    Unreadable { ms: u64, how: Unreadable },
    /// It is done, and the post disappears after so long, as by moderation.
    Vanish { ms: u64 },
    /// X: 429; Facebook: code 80001. The headers say when it ends.
    RateLimited { seconds: u64, exhausted: Exhausted },
    /// A Graph error with this code; throttling codes come with a usage header.
    Graph { code: u32, subcode: Option<u32>, execute: bool },
    /// One of X's refusals.
    XProblem { problem: Problem, execute: bool },
    /// Whatever is written here.
    Answer {
        status: u16,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        body: String,
        execute: bool,
    },
}

impl Kind {
    /// The name in the journal; the same as in the control surface.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DropBefore => "drop_before",
            Self::DropAfter => "drop_after",
            Self::CutAnswer { .. } => "cut_answer",
            Self::ServerError { .. } => "server_error",
            Self::HangBefore { .. } => "hang_before",
            Self::HangAfter { .. } => "hang_after",
            Self::Late { .. } => "late",
            Self::SlowDrip { .. } => "slow_drip",
            Self::Html { .. } => "html",
            Self::Truncate { .. } => "truncate",
            Self::WithoutId => "without_id",
            Self::Empty => "empty",
            Self::Huge { .. } => "huge",
            Self::Redirect => "redirect",
            Self::Lag { .. } => "lag",
            Self::Unreadable { .. } => "unreadable",
            Self::Vanish { .. } => "vanish",
            Self::RateLimited { .. } => "rate_limited",
            Self::Graph { .. } => "graph",
            Self::XProblem { .. } => "x_problem",
            Self::Answer { .. } => "answer",
        }
    }

    /// Whether the call is carried out at all.
    pub(crate) fn executes(&self) -> bool {
        match self {
            Self::DropBefore
            | Self::HangBefore { .. }
            | Self::Redirect
            | Self::RateLimited { .. } => false,
            Self::ServerError { execute }
            | Self::Html { execute }
            | Self::Graph { execute, .. }
            | Self::XProblem { execute, .. }
            | Self::Answer { execute, .. } => *execute,
            Self::DropAfter
            | Self::CutAnswer { .. }
            | Self::HangAfter { .. }
            | Self::Late { .. }
            | Self::SlowDrip { .. }
            | Self::Truncate { .. }
            | Self::WithoutId
            | Self::Empty
            | Self::Huge { .. }
            | Self::Lag { .. }
            | Self::Unreadable { .. }
            | Self::Vanish { .. } => true,
        }
    }

    /// What it does to a post that the call makes.
    pub(crate) fn effects(&self) -> Effects {
        let mut effects = Effects::default();
        if let Self::Lag { ms } = self {
            effects.lag = Some(Duration::from_millis(*ms));
        }
        if let Self::Unreadable { ms, how } = self {
            effects.unreadable = Some((Duration::from_millis(*ms), *how));
        }
        if let Self::Vanish { ms } = self {
            effects.vanish = Some(Duration::from_millis(*ms));
        }
        effects
    }
}

/// What a fault does to the post that is made.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effects {
    pub(crate) lag: Option<Duration>,
    pub(crate) unreadable: Option<(Duration, Unreadable)>,
    pub(crate) vanish: Option<Duration>,
}

/// One fault and the calls that it waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The platform.
    pub platform: Platform,
    /// Only calls of this account; all when unset.
    #[serde(default)]
    pub account: Option<String>,
    /// Only calls of this kind.
    pub operation: Operation,
    /// How often it strikes: once when unset, or without end when it has a probability.
    #[serde(default)]
    pub times: Option<u32>,
    /// With which probability it strikes a call that fits; always when unset.
    #[serde(default)]
    pub probability: Option<f64>,
    /// What happens.
    #[serde(flatten)]
    pub kind: Kind,
}

impl Fault {
    /// A fault that strikes the next call of that kind.
    pub fn once(platform: Platform, operation: Operation, kind: Kind) -> Self {
        Self { platform, account: None, operation, times: None, probability: None, kind }
    }

    /// Only for this account.
    #[must_use]
    pub fn on_account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// So many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u32::MAX)
    }

    /// By chance, from the seeded generator, without end unless `times` says otherwise.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = Some(probability);
        self
    }

    fn fits(&self, platform: Platform, operation: Operation, account: Option<&str>) -> bool {
        self.platform == platform
            && (self.operation == Operation::Any || self.operation == operation)
            && self.account.as_deref().is_none_or(|wanted| Some(wanted) == account)
    }

    fn left(&self) -> u32 {
        self.times.unwrap_or(if self.probability.is_some() { u32::MAX } else { 1 })
    }
}

/// The faults that still wait, in the order in which they were pushed.
#[derive(Debug)]
pub struct Faults {
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: Vec<Fault>,
    chance: StdRng,
}

impl Default for Faults {
    fn default() -> Self {
        let state = State { queue: Vec::new(), chance: StdRng::seed_from_u64(0) };
        Self { waiting: AtomicUsize::new(0), state: Mutex::new(state) }
    }
}

impl Faults {
    /// Adds a fault behind those that wait.
    pub fn push(&self, fault: Fault) {
        let mut state = self.lock();
        state.queue.push(fault);
        self.waiting.store(state.queue.len(), Ordering::Release);
    }

    /// Starts the generator of probabilities anew, so that a run can be repeated.
    pub fn seed(&self, seed: u64) {
        self.lock().chance = StdRng::seed_from_u64(seed);
    }

    /// Forgets all that wait.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.queue.clear();
        self.waiting.store(0, Ordering::Release);
    }

    /// Those that still wait.
    pub fn waiting(&self) -> Vec<Fault> {
        self.lock().queue.clone()
    }

    /// Takes the first fault that fits and strikes.
    pub(crate) fn pick(
        &self,
        platform: Platform,
        operation: Operation,
        account: Option<&str>,
    ) -> Option<Kind> {
        // Most calls meet no fault, and ten thousand a second should not queue up to learn that.
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut state = self.lock();
        let State { queue, chance } = &mut *state;
        let position = queue.iter().position(|fault| {
            fault.fits(platform, operation, account)
                && fault.probability.is_none_or(|p| chance.random_bool(p.clamp(0.0, 1.0)))
        })?;
        let fault = queue.get_mut(position)?;
        let kind = fault.kind.clone();
        let left = fault.left();
        if left == u32::MAX {
            return Some(kind);
        }
        fault.times = Some(left - 1);
        if left <= 1 {
            queue.remove(position);
        }
        self.waiting.store(queue.len(), Ordering::Release);
        Some(kind)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(faults: &Faults, account: &str) -> Option<&'static str> {
        faults.pick(Platform::X, Operation::Create, Some(account)).map(|kind| kind.name())
    }

    #[test]
    fn a_fault_waits_for_its_account_and_strikes_so_often() {
        let faults = Faults::default();
        faults.push(
            Fault::once(Platform::X, Operation::Create, Kind::DropAfter).on_account("7").times(2),
        );
        assert_eq!(pick(&faults, "8"), None);
        assert_eq!(faults.pick(Platform::X, Operation::Read, Some("7")), None);
        assert_eq!(faults.pick(Platform::Facebook, Operation::Create, Some("7")), None);
        assert_eq!(pick(&faults, "7"), Some("drop_after"));
        assert_eq!(pick(&faults, "7"), Some("drop_after"));
        assert_eq!(pick(&faults, "7"), None);
        assert!(faults.waiting().is_empty());
    }

    #[test]
    fn the_first_that_fits_is_first_and_always_means_always() {
        let faults = Faults::default();
        faults.push(Fault::once(Platform::X, Operation::Any, Kind::DropBefore));
        faults.push(Fault::once(Platform::X, Operation::Create, Kind::DropAfter).always());
        assert_eq!(pick(&faults, "1"), Some("drop_before"));
        for _ in 0..10 {
            assert_eq!(pick(&faults, "1"), Some("drop_after"));
        }
        faults.clear();
        assert_eq!(pick(&faults, "1"), None);
    }

    #[test]
    fn chance_is_repeatable_and_near_what_was_asked() {
        let run = |seed| {
            let faults = Faults::default();
            faults.seed(seed);
            faults.push(
                Fault::once(Platform::X, Operation::Create, Kind::DropAfter).with_probability(0.2),
            );
            (0..1000).map(|_| pick(&faults, "1").is_some()).collect::<Vec<_>>()
        };
        let first = run(42);
        assert_eq!(first, run(42));
        assert_ne!(first, run(43));
        let struck = first.iter().filter(|struck| **struck).count();
        assert!((150..250).contains(&struck), "{struck} of 1000");
    }

    #[test]
    fn every_kind_has_the_same_name_in_the_journal_and_in_the_control_surface() {
        for kind in [
            Kind::DropBefore,
            Kind::Truncate { bytes: 3 },
            Kind::RateLimited { seconds: 1, exhausted: Exhausted::AppDay },
            Kind::XProblem { problem: Problem::Duplicate, execute: false },
        ] {
            let written = serde_json::to_value(&kind).unwrap();
            assert_eq!(written["kind"], kind.name());
        }
        let text = r#"{"platform":"facebook","operation":"create","kind":"graph","code":368,
            "subcode":1390008,"execute":false}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(fault.kind, Kind::Graph { code: 368, subcode: Some(1_390_008), execute: false });
        assert_eq!(fault.account, None);
    }
}
