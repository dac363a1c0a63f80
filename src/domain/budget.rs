//! How many creates fit into a window, as pure rules: what is kept back for what cannot wait, and
//! whether what is planned fits.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::class::Class;

/// So many creates in any span of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// No more than this.
    pub most: i64,
    /// Within this.
    pub span: Duration,
}

/// What may be created on one platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// For each account.
    pub per_account: Vec<Window>,
    /// For all accounts of the application together.
    pub per_app: Vec<Window>,
    /// How often each account may be looked through for posts in doubt.
    pub looks_per_account: Vec<Window>,
    /// The share of each window that is kept for urgent posts and statements, in percent.
    pub reserve_percent: i64,
    /// The most that creates may cost in a calendar month (UTC), in millionths of a dollar.
    pub monthly_usd_micros: Option<i64>,
}

impl Limits {
    /// How much of a window is open to a class of this priority.
    pub fn open_to(&self, window: &Window, priority: i64) -> i64 {
        if priority <= i64::from(Class::Statement.priority()) {
            window.most
        } else {
            window.most - window.most * self.reserve_percent / 100
        }
    }
}

/// What a platform said itself about one window; worth nothing after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// A platform, or an account on it.
    pub scope: String,
    /// Which window.
    pub name: String,
    /// How much it holds: creates, or 100 where only a share is told.
    pub most: i64,
    /// How much is left, less what was guarded since.
    pub left: i64,
    /// True when creates are counted, false when it is a share.
    pub counted: bool,
    /// Its end.
    pub until: Timestamp,
}

impl Limits {
    /// Whether what is left by a platform's own word is open to a class of this priority. A share
    /// is told only when little is left: that is for what cannot wait.
    pub fn lets(&self, said: &Said, priority: i64) -> bool {
        let first = priority <= i64::from(Class::Statement.priority());
        let kept = said.most * self.reserve_percent / 100;
        said.left > 0 && (first || (said.counted && said.left > kept))
    }
}

/// Under which name the money that a platform costs is counted.
pub fn money_scope(pool: &str) -> String {
    format!("money:{pool}")
}

/// Under which the looks at what an account or a platform shows are counted.
pub fn looks_scope(whose: &str) -> String {
    format!("looks:{whose}")
}

/// What is counted under a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Creates.
    Creates,
    /// Looks.
    Looks,
    /// Money.
    Money,
}

impl Counted {
    /// What is counted under this scope.
    pub fn of(scope: &str) -> Self {
        match scope.split_once(':') {
            Some(("money", _)) => Self::Money,
            Some(("looks", _)) => Self::Looks,
            Some(_) | None => Self::Creates,
        }
    }
}

/// The first instant of a month in UTC: what money is counted by.
pub fn month_of(now: Timestamp) -> Timestamp {
    let first = now.to_zoned(TimeZone::UTC).first_of_month();
    first.and_then(|it| it.start_of_day()).map_or(now, |it| it.timestamp())
}

/// What the money of a month means for one more create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purse {
    /// The most that the month may cost.
    pub most: i64,
    /// What of it is kept for what cannot wait.
    pub kept: i64,
}

impl Purse {
    /// The month's, if it has a limit.
    pub fn of(limits: &Limits) -> Option<Self> {
        let most = limits.monthly_usd_micros?;
        Some(Self { most, kept: most / 100 * limits.reserve_percent })
    }

    /// Whether this may be spent beside what has been. Urgent posts are never stopped by money:
    /// nobody who is warned of danger should miss it because of an account.
    pub fn affords(&self, spent: i64, cost: i64, priority: i64) -> bool {
        if priority <= i64::from(Class::Urgent.priority()) {
            return true;
        }
        let first = priority <= i64::from(Class::Statement.priority());
        let open = if first { self.most } else { self.most - self.kept };
        spent.saturating_add(cost) <= open
    }

    /// Whether people should hear that the month's money becomes scarce.
    pub const fn is_low(&self, spent: i64) -> bool {
        spent >= self.most / 100 * 80
    }
}

/// The fullest stretch that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow {
    /// When it begins.
    pub from: Timestamp,
    /// How many are planned in it.
    pub planned: usize,
    /// Which window it breaks.
    pub window: Window,
}

/// Whether creates planned at these instants fit; of what does not, the fullest stretch.
pub fn overflow(mut planned: Vec<Timestamp>, window: Window) -> Option<Overflow> {
    planned.sort_unstable();
    let span = SignedDuration::try_from(window.span).unwrap_or(SignedDuration::MAX);
    let most = usize::try_from(window.most).unwrap_or(0);
    let mut worst: Option<Overflow> = None;
    let mut end = 0;
    for (start, from) in planned.iter().enumerate() {
        let until = from.checked_add(span).unwrap_or(Timestamp::MAX);
        end = end.max(start);
        while planned.get(end).is_some_and(|at| *at < until) {
            end += 1;
        }
        let count = end - start;
        if count > most && worst.is_none_or(|worst| count > worst.planned) {
            worst = Some(Overflow { from: *from, planned: count, window });
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const WINDOW: Window = Window { most: 3, span: Duration::from_secs(10) };

    #[test]
    fn as_many_as_a_window_holds_fit_and_one_more_does_not() {
        assert_eq!(overflow([0, 0, 9].map(at).to_vec(), WINDOW), None);
        let found = overflow([9, 0, 5, 0].map(at).to_vec(), WINDOW).unwrap();
        assert_eq!((found.from, found.planned), (at(0), 4));
        assert_eq!(overflow([0, 0, 5, 10].map(at).to_vec(), WINDOW), None, "the next window");
        let found = overflow([0, 1, 2, 3, 100, 101, 102, 103, 104].map(at).to_vec(), WINDOW);
        assert_eq!(found.map(|it| (it.from, it.planned)), Some((at(100), 5)));
        assert_eq!(overflow(Vec::new(), WINDOW), None);
    }

    #[test]
    fn a_share_is_kept_for_what_cannot_wait() {
        let limits = Limits { reserve_percent: 10, ..Limits::default() };
        let window = Window { most: 100, span: Duration::from_mins(15) };
        let open = |class: Class| limits.open_to(&window, i64::from(class.priority()));
        assert_eq!([Class::Urgent, Class::Statement].map(open), [100, 100]);
        assert_eq!([Class::Routine, Class::Evergreen].map(open), [90, 90]);
        let one = Window { most: 1, ..window };
        assert_eq!(limits.open_to(&one, 2), 1, "a reserve never takes all");
    }

    #[test]
    fn what_a_platform_says_leaves_a_share_for_what_cannot_wait() {
        let limits = Limits { reserve_percent: 10, ..Limits::default() };
        let said = |left, counted| Said {
            scope: "x".to_owned(),
            name: "w".to_owned(),
            most: 100,
            left,
            counted,
            until: at(9),
        };
        // Creates left: 11 are open to all, the last 10 to what cannot wait, 0 to nobody.
        let open = [(11, 2), (10, 2), (10, 1), (1, 0), (0, 0)]
            .map(|(left, priority)| limits.lets(&said(left, true), priority));
        assert_eq!(open, [true, false, true, true, false]);
        let open = [(14, 2), (14, 0), (0, 0)]
            .map(|(left, priority)| limits.lets(&said(left, false), priority));
        assert_eq!(open, [false, true, false], "a share");
    }

    #[test]
    fn money_is_kept_for_what_cannot_wait_and_never_stops_what_is_urgent() {
        let limits = Limits { reserve_percent: 10, ..Limits::default() };
        assert_eq!(Purse::of(&limits), None);
        let limits = Limits { monthly_usd_micros: Some(1_000), ..limits };
        let purse = Purse::of(&limits).unwrap();
        let priority = |class: Class| i64::from(class.priority());
        let rows = [
            (885, Class::Routine, true),
            (886, Class::Routine, false),
            (886, Class::Evergreen, false),
            (985, Class::Statement, true),
            (986, Class::Statement, false),
            (5_000, Class::Urgent, true),
        ];
        for (spent, class, expected) in rows {
            assert_eq!(purse.affords(spent, 15, priority(class)), expected, "{spent} {class}");
        }
        assert_eq!([799, 800].map(|spent| purse.is_low(spent)), [false, true]);
    }
}
