//! Which words are due about what waits for people: pure, from what waits and what was told before.
//!
//! What waits for one reason is one group for each officer, and one for administrators. A group is told
//! of when it is seen first, and then by its ladder; who joins a group that was told of waits for the
//! next step, unless he cannot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::{after, until};
use crate::domain::audit::NewEntry;
use crate::domain::class::Class;
use crate::domain::id::{AccountId, DeliveryId};
use crate::domain::ladder::{ESCALATES, Ladder};
use crate::domain::outbox::{self, Occasion};
use crate::store::quarantine::Quarantine;
use crate::store::reminders::{MANY, Step, Told, Waiting};

/// The last part of a subject that is told to administrators.
const ADMINISTRATORS: &str = "administrators";
/// The audit's word for a reminder.
const REMINDS: &str = Occasion::DeliveriesWaiting.as_str();
/// Between two words about one group out of turn: many that join one by one are told of together.
const APART: Duration = Duration::from_mins(1);
/// What stands before the id of a delivery that was told of out of turn, or need not be.
const JOINED: &str = "joined:";

/// What has been told before, by subject.
pub(super) type Memory = HashMap<String, Told>;

/// A word that may be due.
#[derive(Debug)]
pub(super) struct Notice {
    /// The step of its ladder.
    pub(super) step: Step,
    /// Those in the group that cannot wait for the next step and that nobody was told of.
    pub(super) joined: Vec<Step>,
    /// What is said when nobody was told of the step; without it the step is only noted.
    pub(super) whole: Option<NewEntry>,
    /// What is said when somebody was, but not of those that have joined.
    pub(super) late: Option<NewEntry>,
}

impl Notice {
    /// A notice without a group.
    pub(super) fn single(step: Step, entry: NewEntry) -> Self {
        Self { step, joined: Vec::new(), whole: Some(entry), late: None }
    }

    /// Whether nobody was told of it.
    pub(super) fn is_news(&self, memory: &Memory) -> bool {
        !self.joined.is_empty() || is_news(&self.step, memory)
    }

    /// Whether its ladder begins anew for those that have joined: then not without them.
    pub(super) fn hangs_on_joined(&self) -> bool {
        self.whole.is_none() && !self.joined.is_empty()
    }
}

/// What words are reckoned from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reckoning<'a> {
    pub(super) memory: &'a Memory,
    pub(super) ladder: Ladder<'a>,
    pub(super) now: Timestamp,
}

/// The subjects that are to be remembered while these wait, and while these are tried: what waits for its file is
/// tried from time to time, and that it waits again then is no news.
pub(super) fn alive(
    waiting: &[Waiting],
    tried: &[(DeliveryId, AccountId)],
    memory: &Memory,
) -> BTreeSet<String> {
    let ids: BTreeSet<&str> = waiting
        .iter()
        .map(|it| it.id.as_str())
        .chain(tried.iter().map(|(id, _)| id.as_str()))
        .collect();
    let files: Vec<String> = tried.iter().map(|(_, it)| format!("media_missing:{it}|")).collect();
    let of_tried =
        memory.keys().filter(|subject| files.iter().any(|file| subject.starts_with(file)));
    let of_group =
        |it: &Waiting| [subject(&it.cause, &it.author), subject(&it.cause, ADMINISTRATORS)];
    let marks = memory.keys().filter(|subject| {
        let joined = subject.strip_prefix(JOINED).and_then(|it| it.split('|').next());
        let many = || subject.strip_prefix(MANY).and_then(|it| it.rsplit(':').next());
        joined.or_else(many).is_some_and(|id| ids.contains(id))
    });
    let groups = waiting.iter().flat_map(of_group).chain(of_tried.cloned());
    groups.chain(marks.cloned()).collect()
}

/// The words that are due about a quarantine: the first was said when it began.
pub(super) fn of_quarantine(
    quarantine: &Quarantine,
    count: i64,
    from: Reckoning<'_>,
) -> Option<Notice> {
    let since = quarantine.since;
    let step = from.ladder.step(until(since, from.now));
    let step = Step { subject: quarantine_subject(), since, step, renews: true };
    let mut detail = json!({
        "code": "quarantine", "cause": "quarantine:installation", "step": step.step, "since": since,
        "owners": [], "administrators": true,
    });
    if let Some(detail) = detail.as_object_mut().filter(|_| count > 0) {
        detail.insert("count".to_owned(), json!(count));
        detail.insert("list".to_owned(), json!("/api/v1/deliveries?waits_for=person"));
    }
    (step.step > 0).then(|| Notice::single(step, super::entry(REMINDS, "installation", detail)))
}

/// Under which the words about a quarantine are remembered.
pub(super) fn quarantine_subject() -> String {
    subject("quarantine", ADMINISTRATORS)
}

/// The words that are due about all groups.
pub(super) fn of_groups(waiting: &[Waiting], from: Reckoning<'_>) -> Vec<Notice> {
    let mut causes: BTreeMap<&str, Vec<&Waiting>> = BTreeMap::new();
    for one in waiting {
        causes.entry(&one.cause).or_default().push(one);
    }
    causes.into_iter().flat_map(|(cause, all)| of_cause(cause, &all, from)).collect()
}

/// The words that are due about what waits for one reason: for whoever scheduled the deliveries, and
/// for administrators where it is nobody else's or was not decided after the first reminder.
fn of_cause(cause: &str, all: &[&Waiting], from: Reckoning<'_>) -> Vec<Notice> {
    let kind = Kind::of(cause);
    let mut own: BTreeMap<&str, Vec<&Waiting>> = BTreeMap::new();
    for one in all.iter().filter(|it| it.vouched) {
        own.entry(&one.author).or_default().push(one);
    }
    let theirs = cause.starts_with("incident:") || all.len() > own.values().map(Vec::len).sum();
    let administrators = subject(cause, ADMINISTRATORS);
    // A group is told of when it is seen first.
    let since = |subject: &str, group: &[&Waiting]| match kind {
        Kind::One => group.iter().map(|it| it.since).min().unwrap_or(from.now),
        Kind::Many | Kind::Asked { .. } | Kind::Noted => from.began(subject).unwrap_or(from.now),
    };
    let begins = own
        .keys()
        .filter_map(|author| from.began(&subject(cause, author)))
        .min()
        .filter(|_| kind != Kind::One && from.began(&administrators).is_none())
        .unwrap_or_else(|| since(&administrators, all));
    let owners: Vec<&str> = own.keys().copied().collect();
    let mut notices = Vec::new();
    let least = if theirs { kind.first() } else { ESCALATES };
    let to = json!({"owners": [], "administrators": true, "except": owners});
    notices.extend(from.notice(
        &Ladderer { subject: administrators, begins, least, kind, programs: true },
        all,
        &to,
    ));
    for (author, group) in &own {
        let subject = subject(cause, author);
        let begins = since(&subject, group);
        let to = json!({"owners": [author], "administrators": false});
        let ladderer = &Ladderer { subject, begins, least: kind.first(), kind, programs: false };
        notices.extend(from.notice(ladderer, group, &to));
    }
    notices
}

/// How a group is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is one delivery, of which the transition itself was told.
    One,
    /// Each was told of with its transition; the group is told of when it goes on.
    Noted,
    /// Nobody was told yet.
    Many,
    /// Questions too many to be told of one by one: everybody whom the transition of one would have told
    /// hears of all of them at once, under this word of the audit, and soon of each that joins.
    Asked { word: &'static str },
}

impl Kind {
    fn of(cause: &str) -> Self {
        match cause.split_once(':').map_or("", |(kind, _)| kind) {
            "delivery" => Self::One,
            "time_zone" => Self::Noted,
            "person" => Self::Asked { word: outbox::MANY_ASK },
            "zones" => Self::Asked { word: outbox::MANY_CHANGED },
            _ => Self::Many,
        }
    }

    /// The first step of which anything is known.
    const fn first(self) -> i64 {
        match self {
            Self::One => 1,
            Self::Noted | Self::Many | Self::Asked { .. } => 0,
        }
    }

    /// The word for what is told of in its turn at this step.
    const fn word(self, step: i64) -> &'static str {
        match self {
            Self::Asked { word } if step == 0 => word,
            Self::Asked { .. } | Self::One | Self::Noted | Self::Many => REMINDS,
        }
    }

    /// The word for what is told of out of turn.
    const fn sudden(self) -> &'static str {
        self.word(0)
    }
}

/// One ladder of a group: whose, and how it stands.
#[derive(Debug)]
struct Ladderer {
    subject: String,
    begins: Timestamp,
    least: i64,
    kind: Kind,
    /// Whether programs are told by this ladder of what is said at once: by one for each group.
    programs: bool,
}

impl Ladderer {
    /// Whether there is anything to say on this ladder at this step.
    const fn has(&self, step: i64) -> bool {
        step >= self.least || (step == 0 && matches!(self.kind, Kind::Asked { .. }))
    }

    /// What is told of these.
    fn says(&self, word: &str, step: &Step, some: &[&Waiting], to: &Value) -> Option<NewEntry> {
        let mut entry = waiting(word, step, some, to)?;
        if let Some(detail) = entry.detail.as_object_mut().filter(|_| word != REMINDS) {
            detail.insert("programs".to_owned(), json!(self.programs));
        }
        Some(entry)
    }
}

impl Reckoning<'_> {
    /// When the ladder of this subject began.
    fn began(&self, subject: &str) -> Option<Timestamp> {
        self.memory.get(subject).map(|it| it.since)
    }

    /// The word that is due on one ladder about these.
    fn notice(&self, on: &Ladderer, group: &[&Waiting], to: &Value) -> Option<Notice> {
        let number = self.ladder.step(until(on.begins, self.now));
        let renews = on.kind == Kind::One;
        let step = Step { subject: on.subject.clone(), since: on.begins, step: number, renews };
        let (joining, apart) = self.joining(on.kind, &step, group);
        let joined = joining.iter().map(|it| self.mark(on.kind, it, &step.subject)).collect();
        if on.has(number) && is_news(&step, self.memory) {
            let whole = on.says(on.kind.word(number), &step, group, to);
            let late = on.says(on.kind.sudden(), &step, &joining, to);
            let said = on.kind != Kind::Noted || number > 0;
            return Some(Notice { step, joined, whole: whole.filter(|_| said), late });
        }
        let told = self.memory.get(&step.subject)?;
        if joining.is_empty() || self.spoke_lately(on.kind, told, group, apart) {
            return None;
        }
        let step = if self.ladder.is_slow(told.step) {
            Step { since: self.now, step: 0, renews: true, ..step }
        } else {
            step
        };
        let late = on.says(on.kind.sudden(), &step, &joining, to);
        Some(Notice { step, joined, whole: None, late })
    }

    /// Those that nobody was told of and that do not wait for the next step, and how long they do
    /// wait after the last word: questions for the first wait, since alone each would have been told
    /// of at once; what cannot wait for the next step hardly at all.
    fn joining<'w>(
        &self,
        kind: Kind,
        step: &Step,
        group: &[&'w Waiting],
    ) -> (Vec<&'w Waiting>, Duration) {
        let next = after(step.since, self.ladder.next(step.step));
        let presses = |it: &Waiting| {
            let soon = it.publish_by > self.now && it.publish_by < next;
            soon || matches!(it.class, Class::Urgent | Class::Statement)
        };
        let unknown = group.iter().copied().filter(|it| {
            let mark = self.mark(kind, it, &step.subject);
            let told = self.memory.get(&mark.subject);
            told.is_none_or(|told| mark.renews && told.since < mark.since)
        });
        match kind {
            Kind::One | Kind::Noted => (Vec::new(), APART),
            Kind::Many => (unknown.filter(|it| presses(it)).collect(), APART),
            Kind::Asked { .. } => {
                let unknown: Vec<&Waiting> = unknown.collect();
                let pressing = unknown.iter().any(|it| presses(it));
                let apart = if pressing { APART } else { self.ladder.next(0) };
                (unknown, apart)
            }
        }
    }

    /// That whoever is told under this subject knows of this delivery: of a question, as it is asked
    /// now.
    fn mark(&self, kind: Kind, one: &Waiting, subject: &str) -> Step {
        let audience = subject.rsplit('|').next().unwrap_or_default();
        let subject = format!("{JOINED}{}|{audience}", one.id);
        let renews = matches!(kind, Kind::Asked { .. });
        let since = if renews { one.since } else { self.now };
        Step { subject, since, step: 0, renews }
    }

    /// Whether there was a word about this group within so long.
    fn spoke_lately(&self, kind: Kind, told: &Told, group: &[&Waiting], apart: Duration) -> bool {
        let marks = group.iter().filter_map(|it| {
            let mark = self.mark(kind, it, &told.subject);
            Some(self.memory.get(&mark.subject)?.told_at)
        });
        let last = marks.fold(told.told_at, Timestamp::max);
        self.now < after(last, apart)
    }
}

fn subject(cause: &str, audience: &str) -> String {
    format!("{cause}|{audience}")
}

/// Whether nobody was told of this step.
fn is_news(step: &Step, memory: &Memory) -> bool {
    memory
        .get(&step.subject)
        .is_none_or(|told| told.step < step.step || (step.renews && told.since < step.since))
}

/// What is told of deliveries that wait; nothing of none.
fn waiting(word: &str, step: &Step, some: &[&Waiting], to: &Value) -> Option<NewEntry> {
    let sample = some.iter().min_by_key(|it| it.since)?;
    let mut detail = json!({
        "code": sample.code, "cause": sample.cause, "count": some.len(), "step": step.step,
        "since": step.since, "list": list(sample),
    });
    if let (Value::Object(detail), Value::Object(to)) = (&mut detail, to) {
        detail.extend(to.clone());
    }
    let common = sample.cause.split_once(':').map_or("", |(_, id)| id);
    let subject = if some.len() == 1 { sample.id.as_str() } else { common };
    Some(super::entry(word, subject, detail))
}

/// Where the deliveries are listed that are told of together with this one.
fn list(sample: &Waiting) -> String {
    let filter = match sample.cause.split_once(':') {
        Some(("hold", id)) => format!("hold_id={id}"),
        Some(("incident", _)) => "state=held".to_owned(),
        _ => format!("waits_for=person&account_id={}", sample.account_id),
    };
    format!("/api/v1/deliveries?{filter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A try takes a delivery out of those that wait for their file: what was said of them is not forgotten by that.
    #[test]
    fn what_waits_for_its_file_is_remembered_while_it_is_tried() {
        let (delivery, account) =
            (DeliveryId::new(Timestamp::UNIX_EPOCH, 1), AccountId::new(Timestamp::UNIX_EPOCH, 2));
        let group = format!("media_missing:{account}|usr_1");
        let mark = format!("joined:{delivery}|{group}");
        let told = |subject: &String| Told {
            subject: subject.clone(),
            since: Timestamp::UNIX_EPOCH,
            step: 0,
            told_at: Timestamp::UNIX_EPOCH,
        };
        let memory: Memory = [&group, &mark].map(|subject| (subject.clone(), told(subject))).into();
        let tried = [(delivery, account)];
        assert_eq!(alive(&[], &tried, &memory), BTreeSet::from([group, mark]));
        assert_eq!(alive(&[], &[], &memory), BTreeSet::new());
    }
}
