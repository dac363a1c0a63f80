//! A correction: another text for a post that is out, in the place of the one before it; and which texts
//! such a post may show because of us.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::delivery::DeliveryProblem;
use super::words;

words! {
    /// Where a correction stands.
    CorrectionState {
        /// Somebody wants it; the service sees to it.
        Wanted = "wanted",
        /// The same, and something stands in the way of which people were told.
        Stuck = "stuck",
        /// The post says it.
        Done = "done",
        /// A later one was asked for before it was made.
        Replaced = "replaced",
        /// The post was not there any more, or was to be deleted, before it was made.
        Dropped = "dropped",
    }
}

impl CorrectionState {
    /// Whether it is still to be made.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Wanted | Self::Stuck => true,
            Self::Done | Self::Replaced | Self::Dropped => false,
        }
    }
}

/// A correction as it is kept, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The how-manyth of its delivery it is, from 1. Never does a smaller one replace a greater one.
    pub number: i64,
    /// Where it stands.
    pub state: CorrectionState,
    /// What the post is to say.
    pub text: String,
    /// Names all that the post says with it.
    pub content_hash: String,
    /// By this the same text is noticed.
    pub text_hash: String,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// The hash of a text of somebody else's that it may replace.
    pub overwrite: Option<String>,
    /// How often the platform was asked in vain.
    pub tries: i64,
    /// What stands in the way.
    pub problem: Option<DeliveryProblem>,
    /// When people were told of that.
    pub told_at: Option<Timestamp>,
    /// What the post says instead, when neither we nor this correction said it.
    pub shown: Option<String>,
    /// Since when the post may say it: when the first request for it was about to leave, unless it is certain
    /// that nothing has come of it.
    pub begun_at: Option<Timestamp>,
    /// When the last such request was about to leave whose end nobody knows.
    pub open_since: Option<Timestamp>,
    /// When it came to its end: of what is done, when it became public. Of what is public and still waits for earlier
    /// requests to be over, too.
    pub ended_at: Option<Timestamp>,
}

/// What the post says, as far as we have to do with it: the text of the last correction that was made.
pub fn current<'a>(first: &'a str, history: &'a [Correction]) -> &'a str {
    last_made(history).map_or(first, |it| it.text.as_str())
}

/// All texts that the post may show because of us: the last one that was made, whatever may have been made
/// without our knowing it, and the one before while lists may be behind by `lag`.
pub fn ours<'a>(
    first: &'a str,
    history: &'a [Correction],
    now: Timestamp,
    lag: Duration,
) -> Vec<&'a str> {
    let mut texts = vec![current(first, history)];
    let begun = |it: &&Correction| it.state != CorrectionState::Done && it.begun_at.is_some();
    texts.extend(history.iter().filter(begun).map(|it| it.text.as_str()));
    let made = last_made(history);
    let fresh = made.and_then(|it| it.ended_at).is_some_and(|at| now < plus(at, lag));
    if let Some(made) = made.filter(|_| fresh) {
        let before: Vec<Correction> =
            history.iter().filter(|it| it.number < made.number).cloned().collect();
        let number = last_made(&before).map(|it| it.number);
        let before = history.iter().find(|it| Some(it.number) == number);
        texts.push(before.map_or(first, |it| it.text.as_str()));
    }
    texts
}

/// Until when a request for an earlier correction may still take effect, `reach` after it was sent: what
/// the post says before then it need not say for good.
pub fn unsure_until(history: &[Correction], number: i64, reach: Duration) -> Option<Timestamp> {
    let earlier = history.iter().filter(|it| it.number < number);
    earlier.filter_map(|it| it.open_since).max().map(|at| plus(at, reach))
}

/// Whether an earlier correction was made since the history was `before`: its request may have come after
/// whatever was begun then, so what the post says has to be looked at again.
pub fn made_meanwhile(before: &[Correction], history: &[Correction], number: i64) -> bool {
    let is_made = |all: &[Correction], number: i64| {
        all.iter().any(|it| it.number == number && it.state == CorrectionState::Done)
    };
    let mut earlier = history.iter().filter(|it| it.number < number);
    earlier.any(|it| is_made(history, it.number) && !is_made(before, it.number))
}

fn last_made(history: &[Correction]) -> Option<&Correction> {
    let made = history.iter().filter(|it| it.state == CorrectionState::Done);
    made.max_by_key(|it| it.number)
}

fn plus(at: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("instant")
    }

    fn one(number: i64, state: CorrectionState) -> Correction {
        Correction {
            number,
            state,
            text: format!("text {number}"),
            content_hash: String::new(),
            text_hash: String::new(),
            reason: "Sai số liệu".to_owned(),
            asked_by: "usr_1".to_owned(),
            asked_at: at(number),
            overwrite: None,
            tries: 0,
            problem: None,
            told_at: None,
            shown: None,
            begun_at: None,
            open_since: None,
            ended_at: None,
        }
    }

    const LAG: Duration = Duration::from_mins(1);

    #[test]
    fn the_last_that_was_made_is_what_it_says() {
        use CorrectionState as S;
        assert_eq!(current("first", &[]), "first");
        let history = [one(1, S::Done), one(2, S::Replaced), one(3, S::Wanted)];
        assert_eq!(current("first", &history), "text 1");
        assert_eq!(current("first", &[one(1, S::Done), one(2, S::Done)]), "text 2");
        assert_eq!(current("first", &[one(1, S::Dropped)]), "first");
    }

    #[test]
    fn what_may_have_been_made_is_ours_and_what_was_before_is_so_for_a_while() {
        use CorrectionState as S;
        let made = Correction { ended_at: Some(at(100)), ..one(1, S::Done) };
        let begun = Correction { begun_at: Some(at(200)), ..one(2, S::Replaced) };
        let history = [made.clone(), begun, one(3, S::Wanted)];
        assert_eq!(ours("first", &history, at(500), LAG), ["text 1", "text 2"]);
        assert_eq!(ours("first", &history, at(159), LAG), ["text 1", "text 2", "first"]);
        assert_eq!(ours("first", &[made], at(160), LAG), ["text 1"]);
        let second = Correction { ended_at: Some(at(100)), ..one(2, S::Done) };
        let history = [one(1, S::Done), second];
        assert_eq!(ours("first", &history, at(101), LAG), ["text 2", "text 1"]);
    }

    #[test]
    fn only_an_earlier_one_that_may_still_come_makes_a_later_one_unsure() {
        use CorrectionState as S;
        let open = |number, second| Correction {
            open_since: Some(at(second)),
            ..one(number, S::Replaced)
        };
        assert_eq!(unsure_until(&[one(1, S::Done)], 2, LAG), None);
        assert_eq!(unsure_until(&[open(1, 100), open(2, 130)], 3, LAG), Some(at(190)));
        assert_eq!(unsure_until(&[open(2, 100)], 2, LAG), None, "itself may be repeated");
    }

    #[test]
    fn what_was_made_beside_it_is_looked_at_again() {
        use CorrectionState as S;
        let (wanted, made) =
            ([one(1, S::Replaced), one(2, S::Wanted)], [one(1, S::Done), one(2, S::Wanted)]);
        assert!(made_meanwhile(&wanted, &made, 2));
        assert!(!made_meanwhile(&made, &made, 2), "it was over before");
        assert!(!made_meanwhile(&wanted, &made, 1), "itself");
        assert!(!made_meanwhile(&wanted, &wanted, 2));
    }
}
