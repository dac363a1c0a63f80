//! A clock that does not follow the machine's when that steps, and says whether those to whom we send
//! have the same time.
//!
//! The wall clock is compared with the one that never steps, at each use. When the two have moved
//! apart, time goes on as before, and nobody's word counts any more: the next answer of each
//! platform shows which of the two times is right. So nothing is early by a platform's clock beyond
//! what is allowed, and nothing becomes due, late or lost because a time server was wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::{Clock, SharedClock, Sleep, until, whole_millis};

/// What two readings may be apart before they are taken again: between them the process stood still.
const TOGETHER: Duration = Duration::from_millis(100);
/// How often they are taken before the last one counts for nothing.
const READINGS: u32 = 5;
/// A `Date` says whole seconds.
const DATE: SignedDuration = SignedDuration::from_secs(1);
/// Long sleeps are cut, so that a suspended machine and a stepped clock are noticed.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What is too far.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The wall clock has stepped when it has moved by more than this.
    pub step: Duration,
    /// How far the time here may be from a platform's.
    pub skew: Duration,
}

/// Why a platform may not be sent to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// What is known.
    pub why: Why,
    /// How long it has been in the way.
    pub age: Duration,
}

/// What is known of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The platform was not heard since the start.
    Unproven,
    /// The platform was not heard since the wall clock stepped.
    Stepped,
    /// The platform says another time; the time here is ahead of it by so much.
    Disagrees(SignedDuration),
}

impl Why {
    /// Stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Stepped => "stepped",
            Self::Disagrees(_) => "disagrees",
        }
    }
}

/// When a question was asked, by which what the answer says of the time is judged.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    elapsed: SignedDuration,
    step: u64,
}

/// How it stands with the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How many steps were seen.
    pub step: u64,
    /// How far the machine's clock is ahead of the time that counts, while it is too far.
    pub apart: Option<SignedDuration>,
    /// A person has said that the machine's clock is right.
    pub confirmed: bool,
    /// The platforms that are waited for or disagree.
    pub doubts: Vec<(&'static str, Why)>,
}

impl Condition {
    /// Nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.apart.is_none() && self.doubts.is_empty()
    }
}

/// The clock. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Steady {
    inner: SharedClock,
    limits: Limits,
    witnesses: Arc<[&'static str]>,
    state: Arc<Mutex<State>>,
    wanted: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    /// The wall clock less the one that never steps, when it was last known to be right.
    anchor: SignedDuration,
    /// The same by which time goes.
    offset: SignedDuration,
    /// How far the wall clock has stepped away from it, while it has.
    apart: Option<SignedDuration>,
    step: u64,
    confirmed: bool,
    /// Somebody has agreed with the time that goes on since.
    vouched: bool,
    words: BTreeMap<&'static str, Word>,
    /// Whoever was asked for and may not be sent to, with since when.
    waited_for: BTreeMap<&'static str, SignedDuration>,
}

/// What a platform has said of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Agrees,
    Disagrees(SignedDuration),
    Unclear,
}

/// Something between two bounds.
#[derive(Debug, Clone, Copy)]
struct Between {
    least: SignedDuration,
    most: SignedDuration,
}

impl Between {
    fn middle(self) -> SignedDuration {
        (self.least + self.most) / 2
    }
}

/// The state with what the machine's clocks say.
struct Look<'a> {
    state: MutexGuard<'a, State>,
    elapsed: SignedDuration,
    /// The offset of the wall clock; nothing when it could not be read.
    wall: Option<SignedDuration>,
}

impl Steady {
    /// Goes as `inner` does as long as that does not step. Only what `witnesses` say counts.
    pub fn new(inner: SharedClock, limits: Limits, witnesses: Vec<&'static str>) -> Self {
        let elapsed = signed(inner.elapsed());
        let offset = since_epoch(inner.now()) - elapsed;
        let state = State {
            anchor: offset,
            offset,
            apart: None,
            step: 0,
            confirmed: false,
            vouched: false,
            words: BTreeMap::new(),
            waited_for: BTreeMap::new(),
        };
        Self {
            inner,
            limits,
            witnesses: witnesses.into(),
            state: Arc::new(Mutex::new(state)),
            wanted: Arc::default(),
        }
    }

    /// To be called before something is asked whose answer will say a time.
    pub fn asking(&self) -> Asked {
        let look = self.look();
        Asked { elapsed: look.elapsed, step: look.state.step }
    }

    /// Hears what an answer says of the time.
    pub fn heard(&self, from: &str, asked: Asked, date: Timestamp) {
        let Some(name) = self.witnesses.iter().copied().find(|name| *name == from) else { return };
        let Look { mut state, elapsed, wall } = self.look();
        if asked.step != state.step {
            // The clock stepped meanwhile.
            return;
        }
        let between = |offset: SignedDuration| Between {
            // It was said at some moment of a second, some time between question and answer.
            least: offset + asked.elapsed - since_epoch(date) - DATE,
            most: offset + elapsed - since_epoch(date),
        };
        let judge = |offset| self.judge(between(offset));
        let is_nearer = |wall| between(wall).middle().abs() < between(state.offset).middle().abs();
        let word = judge(state.offset);
        let moved = wall.filter(|_| state.apart.is_some());
        match (word, moved) {
            (Word::Agrees, Some(wall)) if judge(wall) == Word::Agrees && is_nearer(wall) => {
                state.follow(wall);
            }
            (Word::Agrees, None) => state.anchor = state.offset,
            (Word::Disagrees(_), Some(wall))
                if judge(wall) == Word::Agrees && !state.is_agreed_with() =>
            {
                // The step has put it right.
                state.follow(wall);
                state.words.clear();
                state.put(name, Word::Agrees, elapsed);
                return;
            }
            (Word::Agrees | Word::Disagrees(_) | Word::Unclear, _) => {}
        }
        state.put(name, word, elapsed);
    }

    /// Whether a platform has the same time, so that it may be sent to.
    pub fn may_send(&self, to: &str) -> Result<(), Doubt> {
        let Some(name) = self.witnesses.iter().copied().find(|name| *name == to) else {
            return Ok(());
        };
        let Look { mut state, elapsed, .. } = self.look();
        let Some(why) = state.doubt(name) else { return Ok(()) };
        let since = *state.waited_for.entry(name).or_insert(elapsed);
        drop(state);
        self.wanted.notify_one();
        Err(Doubt { why, age: Duration::try_from(elapsed - since).unwrap_or_default() })
    }

    /// Whether somebody has agreed with the time that goes on since, or a person has said that it is
    /// right. When not, everybody is asked.
    pub fn is_vouched_for(&self) -> bool {
        let Look { mut state, elapsed, .. } = self.look();
        if state.vouched || state.confirmed {
            return true;
        }
        for name in self.witnesses.iter() {
            state.waited_for.entry(name).or_insert(elapsed);
        }
        drop(state);
        self.wanted.notify_one();
        false
    }

    /// Ends when somebody waits for a platform's word.
    pub async fn is_wanted(&self) {
        self.wanted.notified().await;
    }

    /// A person says that the machine's clock is right.
    pub fn confirm(&self) {
        let Look { mut state, wall, .. } = self.look();
        if let Some(wall) = wall {
            state.follow(wall);
        }
        state.confirmed = true;
        state.waited_for.clear();
    }

    /// How it stands.
    pub fn condition(&self) -> Condition {
        let Look { state, .. } = self.look();
        let names = self.witnesses.iter();
        let doubts = names.filter_map(|name| {
            let why = state.doubt(name)?;
            let matters = matches!(why, Why::Disagrees(_)) || state.waited_for.contains_key(name);
            matters.then_some((*name, why))
        });
        let doubts = doubts.collect();
        let State { step, apart, confirmed, .. } = *state;
        Condition { step, apart, confirmed, doubts }
    }

    /// What it means that the time at our side was ahead of a platform's by so much.
    fn judge(&self, ahead: Between) -> Word {
        let skew = signed(self.limits.skew);
        if ahead.least >= -skew && ahead.most <= skew {
            Word::Agrees
        } else if ahead.least > skew || ahead.most < -skew {
            Word::Disagrees(ahead.middle())
        } else {
            Word::Unclear
        }
    }

    /// Compares the machine's clocks.
    fn look(&self) -> Look<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (elapsed, wall) = self.read();
        if let Some(wall) = wall {
            let deviation = wall - state.anchor;
            let step = signed(self.limits.step);
            if deviation.abs() <= step {
                state.offset = wall;
                state.apart = None;
            } else if state.apart.is_none_or(|apart| (deviation - apart).abs() > step) {
                state.apart = Some(deviation);
                state.step += 1;
                state.confirmed = false;
                state.words.clear();
            }
        }
        Look { state, elapsed, wall }
    }

    /// What has passed, and the offset of the wall clock.
    fn read(&self) -> (SignedDuration, Option<SignedDuration>) {
        let mut before = self.inner.elapsed();
        for _ in 0..READINGS {
            let wall = self.inner.now();
            let after = self.inner.elapsed();
            if after.saturating_sub(before) <= TOGETHER {
                return (signed(before), Some(since_epoch(wall) - signed(before)));
            }
            before = after;
        }
        (signed(before), None)
    }

    /// The time, and whether the machine's clock says another one.
    fn view(&self) -> (Timestamp, bool) {
        let look = self.look();
        let now = Timestamp::UNIX_EPOCH.checked_add(look.state.offset + look.elapsed);
        (whole_millis(now.unwrap_or(Timestamp::MAX)), look.state.apart.is_some())
    }
}

impl State {
    /// Goes by the wall clock again.
    fn follow(&mut self, wall: SignedDuration) {
        self.anchor = wall;
        self.offset = wall;
        self.apart = None;
    }

    fn is_agreed_with(&self) -> bool {
        self.words.values().any(|word| *word == Word::Agrees)
    }

    fn put(&mut self, name: &'static str, word: Word, elapsed: SignedDuration) {
        match word {
            Word::Agrees => {
                self.words.insert(name, word);
                self.vouched = true;
                self.waited_for.remove(name);
            }
            Word::Disagrees(_) => {
                self.words.insert(name, word);
                self.vouched = self.is_agreed_with();
                self.waited_for.entry(name).or_insert(elapsed);
            }
            // As if nothing was said.
            Word::Unclear => {}
        }
    }

    fn doubt(&self, name: &str) -> Option<Why> {
        if self.confirmed {
            return None;
        }
        match self.words.get(name) {
            Some(Word::Agrees) => None,
            Some(Word::Disagrees(by)) => Some(Why::Disagrees(*by)),
            Some(Word::Unclear) | None if self.step == 0 => Some(Why::Unproven),
            Some(Word::Unclear) | None => Some(Why::Stepped),
        }
    }
}

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        self.view().0
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }

    fn sleep_until(&self, instant: Timestamp) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let (now, is_apart) = clock.view();
                if now >= instant {
                    return;
                }
                let left = until(now, instant).min(LONGEST_SLEEP);
                tokio::select! {
                    biased;
                    // Exactly, as long as it does not step.
                    () = clock.inner.sleep_until(instant), if !is_apart => {
                        if !clock.view().1 {
                            return;
                        }
                    }
                    () = clock.inner.sleep(left) => {}
                }
            }
        })
    }

    fn sleep(&self, span: Duration) -> Sleep {
        self.inner.sleep(span)
    }
}

fn since_epoch(instant: Timestamp) -> SignedDuration {
    instant.duration_since(Timestamp::UNIX_EPOCH)
}

fn signed(span: Duration) -> SignedDuration {
    SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
#[path = "steady_tests.rs"]
mod tests;
