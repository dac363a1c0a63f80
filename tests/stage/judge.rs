//! The judge: joins what the platforms know with what the service says, and names every broken
//! promise. He looks at a service that has stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chancery::app::App;
use chancery::clock::whole_millis;
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::audit::follows;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::domain::invariant::{Invariant, state_after};
use chancery::service::deliveries::{self, DeliveryDetail};
use chancery::simulator::{CreateOutcome, JournalEntry};
use chancery::store::{Store, audit, disorder, self_audit};
use jiff::SignedDuration;

use super::{Outlet, Stage};

/// Everything that was found.
pub(super) async fn look(stage: &Stage) -> Vec<String> {
    let services = App::services(stage.setting.config()).await.unwrap();
    let asked = stage.asked.lock().unwrap().clone();
    let outlets = stage.outlets.lock().unwrap().clone();
    let mut shown = Vec::with_capacity(asked.len());
    for id in &asked {
        shown.push(deliveries::show(&services, &stage.caller, id).await.unwrap());
    }
    let (mut found, intents) = chain(&services.store).await;
    promises(&services.store, &asked, &mut found).await;
    services.store.close().await;
    // Whoever takes them in another order than the others can wait for them in a circle.
    found.extend(disorder().into_iter().map(|it| format!("locks out of order, {it}")));
    for one in &shown {
        at_rest(one, &mut found);
        let told = intents.get(one.delivery.id.as_str()).copied().unwrap_or(0);
        if told != one.attempts.len() {
            let (id, made) = (&one.delivery.id, one.attempts.len());
            found.push(format!("{id} has {made} attempts, the audit tells of {told}"));
        }
    }
    let journal = stage.world().journal();
    let stepped = *stage.stepped.lock().unwrap();
    exactly_once(&shown, &outlets, &journal, stepped, &mut found);
    in_their_places(&shown, &journal, &mut found);
    secrets(stage, &outlets, &mut found).await;
    found
}

/// What the service looks for itself while it runs.
async fn promises(store: &Store, asked: &[DeliveryId], found: &mut Vec<String>) {
    let mut reader = store.read().await.unwrap();
    for &invariant in Invariant::ALL {
        let broken = self_audit::broken(&mut reader, invariant, asked).await.unwrap();
        found.extend(broken.into_iter().map(|id| format!("{invariant} is broken by {id}")));
    }
    for (id, state, word) in self_audit::last_words(&mut reader, asked).await.unwrap() {
        if word.as_deref().and_then(state_after) != Some(state) {
            found.push(format!("{id} is {state}, and the audit's last word is {word:?}"));
        }
    }
}

/// Nothing stands where only a working service may leave it.
fn at_rest(one: &DeliveryDetail, found: &mut Vec<String>) {
    let id = &one.delivery.id;
    if one.delivery.state == DeliveryState::Publishing {
        found.push(format!("{id} is publishing although nobody publishes"));
    }
    for attempt in &one.attempts {
        if attempt.outcome == AttemptOutcome::Open {
            found.push(format!("{id} has an open attempt {}", attempt.id));
        }
        if attempt.sent_at.is_some_and(|sent| sent >= one.delivery.publish_by) {
            found.push(format!("{id} was sent after its latest useful time"));
        }
    }
    let taken_away = [DeliveryState::Vanished, DeliveryState::Recalled];
    let published =
        one.delivery.state == DeliveryState::Published || taken_away.contains(&one.delivery.state);
    if published != one.delivery.receipt.is_some() {
        found.push(format!(
            "{id} is {} with receipt {:?}",
            one.delivery.state, one.delivery.receipt
        ));
    }
}

/// What goes to one account with one text; an intended repeat is in the same group.
type Groups<'a> = BTreeMap<(String, String), Vec<&'a DeliveryDetail>>;

/// No post that nobody asked for, none twice, none early, each published one there under its id.
fn exactly_once(
    shown: &[DeliveryDetail],
    outlets: &[Outlet],
    journal: &[JournalEntry],
    stepped: SignedDuration,
    found: &mut Vec<String>,
) {
    let mut groups = Groups::new();
    for one in shown {
        let outlet = outlets.iter().find(|it| it.id == one.delivery.account_id);
        let remote_id = outlet.map_or_else(String::new, |it| it.remote_id.clone());
        groups.entry((remote_id, one.content.text.clone())).or_default().push(one);
    }
    let mut made: BTreeMap<&(String, String), BTreeSet<&str>> = BTreeMap::new();
    let mut received: BTreeMap<&(String, String), usize> = BTreeMap::new();
    for entry in journal {
        // A token that is worth nothing names no account, and makes no post.
        let made_nothing = !matches!(entry.outcome, CreateOutcome::Created(_));
        if entry.account.is_none() && made_nothing {
            continue;
        }
        let group = groups.iter().find(|((account, text), _)| {
            entry.account.as_deref() == Some(account) && entry.intent.text.starts_with(text)
        });
        let Some((key, deliveries)) = group else {
            found.push(format!("nobody asked for {:?} at {:?}", entry.outcome, entry.account));
            continue;
        };
        *received.entry(key).or_default() += 1;
        let CreateOutcome::Created(id) = &entry.outcome else { continue };
        made.entry(key).or_default().insert(id);
        let due = deliveries.iter().map(|one| one.delivery.due_at).min();
        let at = whole_millis(entry.at).checked_add(stepped).unwrap();
        if due.is_some_and(|due| at < due) {
            found.push(format!("{id} was made at {} although due at {due:?}", entry.at));
        }
    }
    for (key, deliveries) in &groups {
        let attempts = deliveries.iter().flat_map(|one| &one.attempts);
        let left = attempts.filter(|one| one.outcome != AttemptOutcome::Withdrawn).count();
        let received = received.remove(key).unwrap_or_default();
        if received > left {
            found.push(format!("{key:?} reached its platform {received} times in {left} attempts"));
        }
        let made = made.remove(key).unwrap_or_default();
        let published: Vec<_> =
            deliveries.iter().filter_map(|one| one.delivery.receipt.as_ref()).collect();
        if made.len() > deliveries.len() {
            found.push(format!("{key:?} was asked for {} times, made {made:?}", deliveries.len()));
        }
        let names: BTreeSet<&str> = published.iter().map(|it| it.remote_id.as_str()).collect();
        if names.len() != published.len() || !names.is_subset(&made) {
            found.push(format!("{key:?} is published as {names:?}, made were {made:?}"));
        }
        // A post of a delivery that has ended otherwise is a lie to whoever reads its state.
        let ended = deliveries.iter().all(|one| one.delivery.state.is_final());
        if ended && made.len() != published.len() {
            found.push(format!("{key:?} has ended with {names:?} published, made were {made:?}"));
        }
    }
}

/// No part before the one that it follows, and never under anything else.
fn in_their_places(shown: &[DeliveryDetail], journal: &[JournalEntry], found: &mut Vec<String>) {
    let mut seen: BTreeMap<&str, &JournalEntry> = BTreeMap::new();
    for entry in journal {
        if let CreateOutcome::Created(id) = &entry.outcome {
            seen.insert(id, entry);
        }
    }
    let receipt =
        |one: &DeliveryDetail| one.delivery.receipt.as_ref().map(|it| it.remote_id.clone());
    for one in shown {
        let Some(made) = receipt(one).and_then(|id| seen.get(id.as_str()).copied()) else {
            continue;
        };
        let follows = one.delivery.follows.as_ref();
        let above = follows.and_then(|id| shown.iter().find(|other| other.delivery.id == *id));
        if follows.is_some() && above.is_none() {
            continue;
        }
        if made.intent.reply_to != above.and_then(receipt) {
            let (id, under) = (&one.delivery.id, &made.intent.reply_to);
            found.push(format!("{id} stands under {under:?}, not under {follows:?}"));
        }
    }
}

/// The audit is the chain that it was written as; and how often each delivery was guarded by it.
async fn chain(store: &Store) -> (Vec<String>, BTreeMap<String, usize>) {
    let mut reader = store.read().await.unwrap();
    let (mut before, mut seq) = (String::new(), 0);
    let mut intents = BTreeMap::new();
    loop {
        let entries = audit::after(&mut reader, seq, 500).await.unwrap();
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            if entry.seq != seq + 1 || !follows(&before, &entry) {
                return (vec![format!("the audit chain breaks at {}", entry.seq)], intents);
            }
            // A restore opens the attempt that the lost database may have had.
            let restored = entry.entry.detail["code"] == "restored";
            if entry.entry.action == "delivery.publishing" || restored {
                *intents.entry(entry.entry.subject.clone()).or_default() += 1;
            }
            (before, seq) = (entry.hash, entry.seq);
        }
    }
    (if seq == 0 { vec!["the audit is empty".to_owned()] } else { Vec::new() }, intents)
}

/// No token and no secret in a log line, in the database or in any file.
async fn secrets(stage: &Stage, outlets: &[Outlet], found: &mut Vec<String>) {
    let mut tokens: Vec<&str> = outlets.iter().map(|it| it.token.as_str()).collect();
    tokens.push(&stage.setting.app_secret);
    let mut places = vec![
        ("a log line".to_owned(), stage.log()),
        ("the server's tables".to_owned(), stage.setting.database.dump().await.into_bytes()),
    ];
    files(stage.setting.directory(), &mut places);
    for (place, bytes) in &places {
        // Every token begins with the same word, so one search finds all.
        for at in places_of(bytes, b"canary") {
            let seen = String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 38)]);
            if tokens.iter().any(|token| seen == **token) {
                found.push(format!("a secret is in {place}: {seen}"));
            }
        }
        for word in ["sim-access-token-", "sim-refresh-token-"] {
            if places_of(bytes, word.as_bytes()).next().is_some() {
                found.push(format!("a secret is in {place}: {word}"));
            }
        }
    }
}

fn places_of<'a>(bytes: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(word.len()).enumerate().filter(move |(_, it)| *it == word).map(|(at, _)| at)
}

fn files(directory: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, places);
        } else {
            places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}
