//! Proves the audit: every hash is computed again, page by page, and compared with what is known besides.

use serde::Deserialize as _;
use serde_json::Value;

use crate::domain::audit::{Entry, NewEntry};
use crate::domain::chain::{self, Flaw, Kept, Walk};
use crate::domain::head::SignedHead;
use crate::store::{Error, Reader, audit};

/// Links that are in memory at once.
const PAGE: u32 = 2_000;

/// What a walk through the whole audit has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// How many entries were looked at.
    pub entries: u64,
    /// The place of the last one.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// How many flaws were told of.
    pub flaws: u64,
}

/// Why a walk ended before the end of the audit.
#[derive(Debug, thiserror::Error)]
#[error("the audit cannot be read after entry {after}")]
pub struct Stuck {
    /// The last entry that could be read.
    pub after: i64,
    /// How many flaws were told of before that.
    pub flaws: u64,
    /// Why.
    #[source]
    pub source: Error,
}

/// Signed heads with their lines, wherever in a line they stand: alone, in what a webhook was told, in an entry.
pub fn heads(lines: impl std::io::BufRead) -> Result<Vec<(u64, SignedHead)>, Unreadable> {
    let mut heads = Vec::new();
    for (number, line) in (1_u64..).zip(lines.lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let value: Value =
            serde_json::from_str(&line).map_err(|_other| Unreadable::Head(number))?;
        heads.push((number, within(&value).ok_or(Unreadable::Head(number))?));
    }
    Ok(heads)
}

fn within(value: &Value) -> Option<SignedHead> {
    let Value::Object(members) = value else { return None };
    if members.contains_key("signature") {
        return SignedHead::deserialize(value).ok();
    }
    members.values().find_map(within)
}

/// Walks through the audit, which may be growing, and tells of each flaw where it is found.
pub async fn verify<E: From<Stuck>>(
    reader: &mut Reader,
    known: impl IntoIterator<Item = (i64, String)>,
    mut tell: impl FnMut(&Flaw) -> Result<(), E>,
) -> Result<Walked, E> {
    let mut walk = Walk::new(known);
    let (mut entries, mut flaws) = (0, 0);
    // Also what stands before the first place.
    let mut after = i64::MIN;
    let mut settled = None;
    loop {
        let stuck = |source| Stuck { after, flaws, source };
        let page = audit::kept(reader, after, PAGE).await.map_err(stuck)?;
        let Some(last) = page.last().map(|kept| kept.seq) else {
            // What was written since the last page is there now, for the note is read before it.
            let noted = audit::noted(reader).await.map_err(stuck)?;
            if noted.0 <= walk.place().0 || settled.as_ref() == Some(&noted) {
                let (seq, hash) = walk.place();
                let hash = hash.to_owned();
                let end = walk.end((noted.0, &noted.1));
                for flaw in &end {
                    tell(flaw)?;
                }
                flaws += count(&end);
                return Ok(Walked { entries, seq, hash, flaws });
            }
            settled = Some(noted);
            continue;
        };
        after = last;
        entries += count(&page);
        for kept in page {
            let found = walk.step(kept);
            for flaw in &found {
                tell(flaw)?;
            }
            flaws += count(&found);
        }
    }
}

/// Why an export cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file itself.
    #[error("the file cannot be read")]
    File(#[from] std::io::Error),
    /// It is not what an export has there.
    #[error("line {0} is no entry of an export as JSON Lines")]
    Line(u64),
    /// A line without a signed head.
    #[error("line {0} of the heads holds no signed head")]
    Head(u64),
}

/// Walks through a whole export, from the first entry on. Where its end was cut off only `known` can tell.
pub fn verify_export<E: From<Unreadable>>(
    export: impl std::io::BufRead,
    known: impl IntoIterator<Item = (i64, String)>,
    mut tell: impl FnMut(&Flaw) -> Result<(), E>,
) -> Result<Walked, E> {
    let mut walk = Walk::new(known);
    let (mut entries, mut flaws) = (0, 0);
    for line in export.lines() {
        entries += 1;
        let line = line.map_err(Unreadable::from)?;
        let kept = kept(&line).ok_or(Unreadable::Line(entries))?;
        let found = walk.step(kept);
        for flaw in &found {
            tell(flaw)?;
        }
        flaws += count(&found);
    }
    let (seq, hash) = walk.place();
    let hash = hash.to_owned();
    let end = walk.end((seq, &hash));
    for flaw in &end {
        tell(flaw)?;
    }
    flaws += count(&end);
    Ok(Walked { entries, seq, hash, flaws })
}

/// A line of an export. What its place and its hash are must be readable; the rest is a flaw when it is not.
fn kept(line: &str) -> Option<Kept> {
    let value = chain::detail(line)?;
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    let (seq, hash) = (value.get("seq")?.as_i64()?, text("hash")?);
    let entry = || {
        let (actor, action, subject) = (text("actor")?, text("action")?, text("subject")?);
        let detail = value.get("detail")?.clone();
        let at = text("at")?.parse().ok()?;
        let entry = NewEntry { actor, action, subject, detail };
        Some(Entry { seq, at, entry, hash: hash.clone() })
    };
    Some(Kept { seq, entry: entry(), hash })
}

fn count<T>(of: &[T]) -> u64 {
    u64::try_from(of.len()).unwrap_or(u64::MAX)
}
