//! What can happen to the service: acts of people, faults of platforms, losses and moves of the
//! clocks, and how likely each is.

use std::collections::BTreeMap;

use chancery::simulator::{Exhausted, Kind, Operation, Platform, Problem, Unreadable};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::strategy::Union;

/// How many accounts there are; the first half at Facebook.
pub(crate) const OUTLETS: usize = 4;

/// When something is to go out, in seconds from now.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    Now,
    In(u64),
}

/// What a post says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Says {
    Something,
    /// The same as an earlier one, to the same account.
    Again(usize),
    /// The same, and that is meant.
    Repeat(usize),
    /// What somebody else has said there before.
    Foreign,
}

/// A post for one account.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) outlet: usize,
    pub(crate) says: Says,
    pub(crate) when: When,
    pub(crate) class: &'static str,
    pub(crate) link: bool,
    pub(crate) picture: bool,
    /// Seconds after its instant that it may go out at most.
    pub(crate) within: Option<u64>,
    /// What happens to the next create there.
    pub(crate) fault: Option<Kind>,
}

/// What a hold covers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reach {
    All,
    /// The platform of an account.
    Platform(usize),
    Account(usize),
    Class(&'static str),
}

/// What a person decides about a delivery that a hold has caught.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    Release,
    /// Another time, in seconds from now.
    Later(u64),
    Drop,
}

/// One thing that happens. Numbers of deliveries and accounts are taken modulo what there is.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Post(Wish),
    Cancel(usize),
    Reschedule(usize, When),
    Edit(usize),
    /// A person looks at the live account and decides about what asks him.
    Decide(usize, bool),
    Pause(usize),
    Go(usize),
    Check(usize),
    /// Nothing of this goes out any more; urgent posts do when they are spared.
    Hold(Reach, bool),
    /// A hold ends, and what it has caught waits for a person.
    Lift(usize),
    Review(usize, Verdict),
    /// What is out is deleted at the platform.
    Recall(usize),
    Replace(usize),
    Remove(usize),
    /// Calls of this kind fail so often.
    Disturb(usize, Operation, Kind, u32),
    /// Lists lag behind by so many seconds.
    Lag(usize, u64),
    /// The platform stops accepting the token.
    Revoke(usize),
    Breathe,
    /// Time passes, in seconds.
    Advance(u64),
    /// To a moment before the next instant, in milliseconds.
    Brink(u64),
    Suspend(u64),
    /// The service's wall clock alone.
    Step(i64),
    /// A clean stop, and a start after so many seconds.
    Restart(u64),
    /// The process is lost after so many microseconds, and starts anew after so many seconds.
    Crash(u64, u64),
    /// A second node begins; when there is one it stops, cleanly or not.
    Node(bool),
}

/// A run of them.
pub(crate) fn story() -> impl Strategy<Value = Vec<Act>> {
    vec(act(), 10..26)
}

fn act() -> impl Strategy<Value = Act> {
    let k = || 0..64_usize;
    let outlet = || 0..OUTLETS;
    Union::new_weighted(vec![
        (26, wish().prop_map(Act::Post).boxed()),
        (5, k().prop_map(Act::Cancel).boxed()),
        (4, (k(), when()).prop_map(|(it, when)| Act::Reschedule(it, when)).boxed()),
        (2, k().prop_map(Act::Edit).boxed()),
        (4, (k(), any::<bool>()).prop_map(|(it, again)| Act::Decide(it, again)).boxed()),
        (3, outlet().prop_map(Act::Pause).boxed()),
        (4, outlet().prop_map(Act::Go).boxed()),
        (2, outlet().prop_map(Act::Check).boxed()),
        (4, (reach(), any::<bool>()).prop_map(|(it, spare)| Act::Hold(it, spare)).boxed()),
        (4, k().prop_map(Act::Lift).boxed()),
        (4, (k(), verdict()).prop_map(|(it, verdict)| Act::Review(it, verdict)).boxed()),
        (4, k().prop_map(Act::Recall).boxed()),
        (2, outlet().prop_map(Act::Replace).boxed()),
        (1, outlet().prop_map(Act::Remove).boxed()),
        (6, disturbance().boxed()),
        (3, (outlet(), 0..10_u64).prop_map(|(it, lag)| Act::Lag(it, lag)).boxed()),
        (1, outlet().prop_map(Act::Revoke).boxed()),
        (8, Just(Act::Breathe).boxed()),
        (10, (1..90_u64).prop_map(Act::Advance).boxed()),
        // So little that a list still lags when a doubt is looked at for the first time.
        (8, (1..8_u64).prop_map(Act::Advance).boxed()),
        (7, (1..45_u64).prop_map(Act::Brink).boxed()),
        (2, (1..200_u64).prop_map(Act::Suspend).boxed()),
        (1, (-4..5_i64).prop_map(Act::Step).boxed()),
        (2, (0..100_u64).prop_map(Act::Restart).boxed()),
        (5, (0..9_000_u64, 0..100_u64).prop_map(|(at, down)| Act::Crash(at, down)).boxed()),
        (3, any::<bool>().prop_map(Act::Node).boxed()),
    ])
}

fn when() -> impl Strategy<Value = When> {
    Union::new_weighted(vec![
        (3, Just(When::Now).boxed()),
        (5, (1..120_u64).prop_map(When::In).boxed()),
    ])
}

fn reach() -> impl Strategy<Value = Reach> {
    let class = proptest::sample::select(vec!["routine", "urgent", "statement"]);
    Union::new_weighted(vec![
        (3, Just(Reach::All).boxed()),
        (1, (0..OUTLETS).prop_map(Reach::Platform).boxed()),
        (2, (0..OUTLETS).prop_map(Reach::Account).boxed()),
        (1, class.prop_map(Reach::Class).boxed()),
    ])
}

fn verdict() -> impl Strategy<Value = Verdict> {
    Union::new_weighted(vec![
        (3, Just(Verdict::Release).boxed()),
        (2, (1..120_u64).prop_map(Verdict::Later).boxed()),
        (1, Just(Verdict::Drop).boxed()),
    ])
}

fn wish() -> impl Strategy<Value = Wish> {
    let says = Union::new_weighted(vec![
        (12, Just(Says::Something).boxed()),
        (3, (0..64_usize).prop_map(Says::Again).boxed()),
        (2, (0..64_usize).prop_map(Says::Repeat).boxed()),
        (1, Just(Says::Foreign).boxed()),
    ]);
    let class = proptest::sample::select(vec!["routine", "routine", "urgent", "statement"]);
    let within = proptest::option::weighted(0.15, 20..200_u64);
    let fault = proptest::option::weighted(0.55, trouble());
    let dress = (proptest::bool::weighted(0.2), proptest::bool::weighted(0.1));
    (0..OUTLETS, says, when(), class, dress, within, fault).prop_map(
        |(outlet, says, when, class, (link, picture), within, fault)| Wish {
            outlet,
            says,
            when,
            class,
            link,
            picture,
            within,
            fault,
        },
    )
}

fn disturbance() -> impl Strategy<Value = Act> {
    let calls = proptest::sample::select(vec![
        Operation::Read,
        Operation::Read,
        Operation::Identity,
        Operation::Upload,
        Operation::Change,
        Operation::Any,
    ]);
    (0..OUTLETS, calls, trouble(), 1..5_u32)
        .prop_map(|(outlet, calls, kind, times)| Act::Disturb(outlet, calls, kind, times))
}

/// Whether a fault belongs to the words of this platform.
pub(crate) fn speaks(platform: Platform, kind: &Kind) -> bool {
    match platform {
        Platform::Facebook => !matches!(kind, Kind::XProblem { .. }),
        Platform::X => !matches!(kind, Kind::Graph { .. }),
        Platform::Mastodon | Platform::Bluesky => {
            !matches!(kind, Kind::Graph { .. } | Kind::XProblem { .. })
        }
    }
}

/// Longer than any request, by the platforms' clock.
const LONG: u64 = 600_000;

fn trouble() -> impl Strategy<Value = Kind> {
    let graph = |code, execute| Kind::Graph { code, subcode: None, execute };
    let problem = |problem, execute| Kind::XProblem { problem, execute };
    let answer = |status, execute| Kind::Answer {
        status,
        headers: BTreeMap::new(),
        body: "<html>".to_owned(),
        execute,
    };
    let often = vec![
        Kind::DropBefore,
        Kind::DropAfter,
        Kind::ServerError { execute: true },
        Kind::ServerError { execute: false },
        Kind::CutAnswer { bytes: 120 },
        Kind::Late { ms: 8_000 },
    ];
    let sometimes = vec![
        Kind::HangBefore { ms: LONG },
        Kind::HangAfter { ms: LONG },
        Kind::Html { execute: true },
        Kind::Html { execute: false },
        Kind::Truncate { bytes: 5 },
        Kind::WithoutId,
        Kind::Empty,
        Kind::Redirect,
        answer(408, true),
        answer(404, true),
        Kind::Lag { ms: 9_000 },
        Kind::Unreadable { ms: 9_000, how: Unreadable::Missing },
        Kind::RateLimited { seconds: 60, exhausted: Exhausted::Window },
        graph(2, true),
        graph(2, false),
        graph(100, false),
        graph(190, false),
        graph(506, true),
        graph(506, false),
        problem(Problem::Duplicate, true),
        problem(Problem::Duplicate, false),
        problem(Problem::Unauthorized, false),
        problem(Problem::OldRateLimit, false),
        problem(Problem::NotPermitted, false),
    ];
    Union::new_weighted(vec![
        (3, proptest::sample::select(often).boxed()),
        (2, proptest::sample::select(sometimes).boxed()),
    ])
}
