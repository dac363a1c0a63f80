//! A thousand tamperings with the audit past the service: each is found, and at its place.

use std::fmt::Write as _;

use chancery::domain::audit::{Entry, NewEntry, link};
use chancery::domain::chain::Flaw;
use chancery::service::audit::{Stuck, Walked, verify};
use chancery::store::audit;
use jiff::Timestamp;
use serde_json::json;

use crate::database::{Fresh, Raw, both};

const LENGTH: i64 = 24;
const KINDS: u64 = 18;

/// An entry of a chain to be forged.
fn said(seq: i64) -> NewEntry {
    NewEntry {
        actor: "usr_1".into(),
        action: "delivery.plan".into(),
        subject: format!("dlv_{seq}"),
        detail: json!({"n": seq, "text": "Quốc khánh \"2/9\"\n", "list": [null, true]}),
    }
}

/// What a forger does past the service, what is known of the chain besides, and what is found first.
struct Forgery {
    sql: String,
    known: bool,
    found: Flaw,
}

/// The same numbers in each run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn place(state: &mut u64, from: i64, to: i64) -> i64 {
    from + i64::try_from(next(state)).unwrap() % (to - from + 1)
}

/// The end of a chain in which the entry `seq` says something else, with every hash as it should be.
fn rewritten(chain: &[Entry], seq: i64) -> Vec<Entry> {
    let first = usize::try_from(seq - 1).unwrap();
    let mut before = if first == 0 { String::new() } else { chain[first - 1].hash.clone() };
    let mut rest = chain[first..].to_vec();
    rest[0].entry.actor = "usr_2".into();
    for entry in &mut rest {
        before = link(&before, entry.seq, entry.at, &entry.entry);
        entry.hash.clone_from(&before);
    }
    rest
}

fn head(seq: i64, hash: &str) -> String {
    format!("UPDATE audit_head SET seq = {seq}, hash = '{hash}'")
}

fn forge(kind: u64, state: &mut u64, chain: &[Entry], sqlite: bool) -> Forgery {
    let n = place(state, 1, LENGTH);
    let alter = |what: &str| (format!("UPDATE audit SET {what} WHERE seq = {n}"), Flaw::Changed(n));
    let hash = |seq: i64| chain[usize::try_from(seq - 1).unwrap()].hash.as_str();
    let copy = |to: &str| {
        format!(
            "INSERT INTO audit SELECT {to}, at, actor, action, subject, detail, hash FROM honest WHERE seq = {n}"
        )
    };
    let (sql, found) = match kind {
        0 => alter("actor = 'usr_2'"),
        1 => alter("action = 'delivery.cancel'"),
        2 => alter("subject = subject || '0'"),
        3 if sqlite => alter("at = at + 1"),
        3 => alter("at = at + INTERVAL '1 microsecond'"),
        4 => alter("detail = '{\"n\":0}'"),
        // A reader that takes the first and one that takes the last would see two things.
        5 if sqlite => alter("detail = '{\"text\":\"forged\",' || substr(detail, 2)"),
        5 => alter("detail = detail || '{\"more\":1}'"),
        6 => alter("hash = 'f' || substr(hash, 2, 62) || 'x'"),
        7 if sqlite => alter("detail = 'no JSON'"),
        7 => alter("at = 'infinity'"),
        8 => (format!("DELETE FROM audit WHERE seq = {n}"), Flaw::Missing(n, n)),
        9 => (format!("DELETE FROM audit WHERE seq >= {n}"), Flaw::Missing(n, LENGTH)),
        10 => {
            let n = n.max(2);
            let cut = format!("DELETE FROM audit WHERE seq >= {n}; {}", head(n - 1, hash(n - 1)));
            return Forgery { sql: cut, known: true, found: Flaw::Cut(LENGTH) };
        }
        11 => (copy(&(LENGTH + 1).to_string()), Flaw::Changed(LENGTH + 1)),
        12 => (copy(&format!("-{n}")), Flaw::Added(-n)),
        13..=16 => return forge_many(kind, (n, state), chain),
        _ => (head(LENGTH, hash(n.min(LENGTH - 1))), Flaw::Head(LENGTH)),
    };
    Forgery { sql, known: false, found }
}

/// The same to several entries at once.
fn forge_many(kind: u64, (n, state): (i64, &mut u64), chain: &[Entry]) -> Forgery {
    let (sql, found) = match kind {
        13 => {
            let (a, b) = (place(state, 1, LENGTH - 1), LENGTH);
            let go = |from: i64, to: i64| format!("UPDATE audit SET seq = {to} WHERE seq = {from}");
            ([go(a, -1), go(b, a), go(-1, b)].join("; "), Flaw::Changed(a))
        }
        14 => {
            let forged = &rewritten(chain, n)[0];
            let sql = format!(
                "UPDATE audit SET actor = 'usr_2', hash = '{}' WHERE seq = {n}",
                forged.hash
            );
            let found = if n == LENGTH { Flaw::Head(n) } else { Flaw::Changed(n + 1) };
            (sql, found)
        }
        15 => {
            let n = n.min(LENGTH - 1);
            let close = "UPDATE audit SET seq = -seq WHERE seq >";
            let open = "UPDATE audit SET seq = -seq - 1 WHERE seq < 0";
            let head = head(LENGTH - 1, &chain.last().unwrap().hash);
            (
                format!("DELETE FROM audit WHERE seq = {n}; {close} {n}; {open}; {head}"),
                Flaw::Changed(n),
            )
        }
        _ => {
            let rest = rewritten(chain, n);
            let mut sql = format!("UPDATE audit SET actor = 'usr_2' WHERE seq = {n}");
            for Entry { seq, hash, .. } in &rest {
                write!(sql, "; UPDATE audit SET hash = '{hash}' WHERE seq = {seq}").unwrap();
            }
            let sql = format!("{sql}; {}", head(LENGTH, &rest.last().unwrap().hash));
            return Forgery { sql, known: true, found: Flaw::Known(LENGTH) };
        }
    };
    Forgery { sql, known: false, found }
}

async fn flaws(fresh: &Fresh, known: &[(i64, String)]) -> (Walked, Vec<Flaw>) {
    let mut found = Vec::new();
    let mut reader = fresh.store.read().await.unwrap();
    let walked = verify::<Stuck>(&mut reader, known.iter().cloned(), |flaw| {
        found.push(flaw.clone());
        Ok(())
    });
    (walked.await.unwrap(), found)
}

both! {
    /// A thousand on SQLite; on PostgreSQL, where each takes longer, each kind a few times.
    async fn every_tampering_is_found_at_its_place(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        for seq in 1..=LENGTH {
            audit::append(&mut tx, &[said(seq)], Timestamp::from_millisecond(1_788_000_000_000 + seq * 7).unwrap());
        }
        tx.conclude().await.unwrap();
        let chain = audit::after(&mut fresh.store.read().await.unwrap(), 0, 99).await.unwrap();
        let last = chain.last().unwrap().hash.clone();
        let known = [(LENGTH, last.clone())];
        let (walked, found) = flaws(fresh, &known).await;
        assert_eq!((walked.entries, walked.seq, found), (24, LENGTH, vec![]), "nobody has been there");
        let mut raw = fresh.raw().await;
        let sqlite = matches!(raw, Raw::Sqlite(_));
        raw.execute("CREATE TABLE honest AS SELECT * FROM audit").await.unwrap();
        let quick = if sqlite { "PRAGMA synchronous = OFF" } else { "SET synchronous_commit = off" };
        raw.execute(quick).await.unwrap();
        let mend = format!(
            "DELETE FROM audit; INSERT INTO audit SELECT * FROM honest; UPDATE audit_head SET seq = {LENGTH}, hash = '{last}'"
        );
        let (mut state, mut missed) = (20_260_902, Vec::new());
        for round in 0..if sqlite { 1_000 } else { 4 * KINDS } {
            let forgery = forge(round % KINDS, &mut state, &chain, sqlite);
            raw.execute(&forgery.sql).await.unwrap();
            let known = if forgery.known { &known[..] } else { &[] };
            let (_, found) = flaws(fresh, known).await;
            if found.first() != Some(&forgery.found) {
                missed.push(format!("{}: {found:?}, not {:?}", forgery.sql, forgery.found));
            }
            raw.execute(&mend).await.unwrap();
        }
        assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
        assert_eq!(flaws(fresh, &known).await.1, [], "what was mended is whole");
    }
}
