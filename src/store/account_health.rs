//! How an account stands, for people: its credential, what its platform said last, what stands on it, and who
//! has attested a second factor.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::account::CredentialKind;
use crate::domain::connection::MissingScope;
use crate::domain::id::{AccountId, DeliveryId, PersonId};
use crate::domain::probe::ProbeVerdict;

statements! {
    FIND =
        "SELECT c.kind, c.expires_at AS credential_ends_at, c.updated_at AS credential_since,
                c.refresh IS NOT NULL AS renewable, q.asked_at, q.tried_at, q.next_at, q.verdict,
                q.detail, q.trouble, q.refusals, q.fit_at, q.scopes, q.missing, q.expires_at,
                q.data_access_ends_at, t.attested_by, t.attested_at, t.note
         FROM accounts AS a
         LEFT JOIN credentials AS c ON c.account_id = a.id
         LEFT JOIN account_probes AS q ON q.account_id = a.id
         LEFT JOIN account_attestations AS t ON t.account_id = a.id
         WHERE a.id = $1";
    /// `IS TRUE` keeps SQLite on the index of accounts and instants.
    COMING =
        "SELECT d.id, d.due_at FROM deliveries AS d
         WHERE d.account_id = $1 AND d.due_at >= $2
           AND (d.state IN ('scheduled', 'held')) IS TRUE
         ORDER BY d.due_at, d.id LIMIT $3";
    LAST_OUT =
        "SELECT d.published_at FROM deliveries AS d
         WHERE d.account_id = $1 AND (d.state = 'published') IS TRUE
         ORDER BY d.due_at DESC LIMIT 1";
    ATTEST =
        "INSERT INTO account_attestations (account_id, attested_by, attested_at, note)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (account_id) DO UPDATE SET attested_by = excluded.attested_by,
                attested_at = excluded.attested_at, note = excluded.note";
}

/// What is known of an account beside itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its credential.
    pub credential: Option<CredentialFacts>,
    /// What its platform said last.
    pub probe: Option<ProbeFacts>,
    /// Who has attested a second factor last.
    pub attestation: Option<Attestation>,
}

/// A credential without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFacts {
    /// What kind it is.
    pub kind: CredentialKind,
    /// When its access token ends, where that is known.
    pub ends_at: Option<Timestamp>,
    /// Since when it is kept.
    pub since: Timestamp,
    /// Whether it gets another access token by itself.
    pub renewable: bool,
}

/// What a platform said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFacts {
    /// When it last said something.
    pub asked_at: Option<Timestamp>,
    /// When it was last asked.
    pub tried_at: Timestamp,
    /// When it is asked again at the latest.
    pub next_at: Timestamp,
    /// What that has shown.
    pub verdict: ProbeVerdict,
    /// In its words.
    pub detail: Option<String>,
    /// Why the last question said nothing.
    pub trouble: Option<String>,
    /// How often in a row the credential was refused.
    pub refusals: i64,
    /// When it was last found fit.
    pub fit_at: Option<Timestamp>,
    /// The rights that were granted.
    pub scopes: Option<Vec<String>>,
    /// Those that are missing.
    pub missing: Option<Vec<MissingScope>>,
    /// When the credential ends, by the platform's word.
    pub expires_at: Option<Timestamp>,
    /// When the platform stops giving data.
    pub data_access_ends_at: Option<Timestamp>,
}

/// That the owners of an account sign in with a second factor at the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// Who says so.
    pub attested_by: PersonId,
    /// When he did.
    pub attested_at: Timestamp,
    /// In his words.
    pub note: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    kind: Option<CredentialKind>,
    credential_ends_at: Option<At>,
    credential_since: Option<At>,
    renewable: bool,
    asked_at: Option<At>,
    tried_at: Option<At>,
    next_at: Option<At>,
    verdict: Option<ProbeVerdict>,
    detail: Option<String>,
    trouble: Option<String>,
    refusals: Option<i64>,
    fit_at: Option<At>,
    scopes: Option<Json<Vec<String>>>,
    missing: Option<Json<Vec<MissingScope>>>,
    expires_at: Option<At>,
    data_access_ends_at: Option<At>,
    attested_by: Option<PersonId>,
    attested_at: Option<At>,
    note: Option<String>,
}

impl Row {
    fn credential(&self) -> Option<CredentialFacts> {
        Some(CredentialFacts {
            kind: self.kind?,
            ends_at: self.credential_ends_at.map(Timestamp::from),
            since: self.credential_since?.into(),
            renewable: self.renewable,
        })
    }

    fn attestation(&self) -> Option<Attestation> {
        Some(Attestation {
            attested_by: self.attested_by.clone()?,
            attested_at: self.attested_at?.into(),
            note: self.note.clone()?,
        })
    }

    fn probe(self) -> Option<ProbeFacts> {
        Some(ProbeFacts {
            asked_at: self.asked_at.map(Timestamp::from),
            tried_at: self.tried_at?.into(),
            next_at: self.next_at?.into(),
            verdict: self.verdict?,
            detail: self.detail,
            trouble: self.trouble,
            refusals: self.refusals?,
            fit_at: self.fit_at.map(Timestamp::from),
            scopes: self.scopes.map(|it| it.0),
            missing: self.missing.map(|it| it.0),
            expires_at: self.expires_at.map(Timestamp::from),
            data_access_ends_at: self.data_access_ends_at.map(Timestamp::from),
        })
    }
}

/// What is known of an account.
pub async fn find(reader: &mut Reader, account: &AccountId) -> Result<Facts, Error> {
    let row: Row =
        on!(reader, FIND, |sql, conn| sqlx::query_as(sql).bind(account).fetch_one(conn).await?);
    let (credential, attestation) = (row.credential(), row.attestation());
    Ok(Facts { credential, attestation, probe: row.probe() })
}

/// The first deliveries that are to go out on an account, of those due since then.
pub async fn coming(
    reader: &mut Reader,
    account: &AccountId,
    since: Timestamp,
    most: i64,
) -> Result<Vec<(DeliveryId, Timestamp)>, Error> {
    let rows: Vec<(DeliveryId, At)> = on!(reader, COMING, |sql, conn| {
        sqlx::query_as(sql).bind(account).bind(At(since)).bind(most).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(id, at)| (id, at.0)).collect())
}

/// When the last delivery of an account went out.
pub async fn last_out(
    reader: &mut Reader,
    account: &AccountId,
) -> Result<Option<Timestamp>, Error> {
    let at: Option<Option<At>> = on!(reader, LAST_OUT, |sql, conn| {
        sqlx::query_scalar(sql).bind(account).fetch_optional(conn).await?
    });
    Ok(at.flatten().map(Timestamp::from))
}

/// Keeps an attestation in the place of the one before it.
pub async fn attest(
    tx: &mut Tx,
    account: &AccountId,
    attestation: &Attestation,
) -> Result<(), Error> {
    on!(tx, ATTEST, |sql, conn| {
        sqlx::query(sql)
            .bind(account)
            .bind(&attestation.attested_by)
            .bind(At(attestation.attested_at))
            .bind(&attestation.note)
            .execute(conn)
            .await?;
    });
    Ok(())
}
