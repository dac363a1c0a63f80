//! Accounts on X whose access ends and is refreshed, and what became of that by the database itself.

use chancery::domain::account::Account;
use chancery::service::accounts;
use chancery::simulator::{Platform, User};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Outlet, Stage, eventually};

/// The application that X knows, as the service is told of it.
pub(crate) const APPLICATION: (&str, &str) = ("CHANCERY_X__CLIENT_ID", "sim-client");

impl Stage {
    /// A new account on X that somebody has let the application act for. Its access token ends as X says.
    pub(crate) async fn renewable(&self) -> Outlet {
        let ends = self.true_now().as_second() + self.access_life();
        self.renewable_until(Some(Timestamp::from_second(ends).unwrap())).await
    }

    fn access_life(&self) -> i64 {
        i64::try_from(self.world().settings().x.access_life_s).unwrap()
    }

    /// The same with an end that somebody says, or nobody: then it is refreshed at once.
    pub(crate) async fn renewable_until(&self, ends_at: Option<Timestamp>) -> Outlet {
        let number = 70_000_000_000 + u64::from(rand::random::<u32>());
        let remote_id = number.to_string();
        let username = format!("R{remote_id}");
        let user = User {
            name: username.clone(),
            username,
            id: remote_id.clone(),
            token: format!("plain{remote_id}"),
            ..User::default()
        };
        self.world().add_user(user);
        let new = json!({
            "unit_id": self.unit, "platform": "x", "remote_id": remote_id,
            "languages": ["en", "vi"], "credential": self.consented(&remote_id, ends_at),
        });
        let account = eventually("the account is connected", async || {
            let new = serde_json::from_value(new.clone()).unwrap();
            let made = accounts::create(self.acts(), &self.caller, new).await;
            made.map(|done| done.value).map_err(|error| error.to_string())
        })
        .await;
        let token = format!("plain{remote_id}");
        let outlet = Outlet { platform: Platform::X, remote_id, token, id: account.id };
        self.outlets.lock().unwrap().push(outlet.clone());
        outlet
    }

    /// What comes of another consent.
    pub(crate) fn consented(&self, remote_id: &str, ends_at: Option<Timestamp>) -> Value {
        let [access, refresh] = self.world().consent(remote_id);
        json!({"kind": "oauth2", "access_token": access, "refresh_token": refresh,
               "expires_at": ends_at})
    }

    /// Somebody signs in again for an account.
    pub(crate) async fn reconnect(&self, outlet: &Outlet) -> Account {
        let ends = self.true_now().as_second() + self.access_life();
        let ends = Timestamp::from_second(ends).unwrap();
        let change = json!({"credential": self.consented(&outlet.remote_id, Some(ends))});
        eventually("the account is connected again", async || {
            let change = serde_json::from_value(change.clone()).unwrap();
            let made = accounts::change(self.acts(), &self.caller, &outlet.id, None, change).await;
            made.map(|done| done.value).map_err(|error| error.to_string())
        })
        .await
    }

    /// The version of an account's credential.
    pub(crate) async fn credential_version(&self, outlet: &Outlet) -> i64 {
        let id = &outlet.id;
        let sql =
            format!("SELECT CAST(version AS TEXT) FROM credentials WHERE account_id = '{id}'");
        self.setting().database.rows(&sql).await[0][0].parse().unwrap()
    }

    /// Waits for an account's credential to have this version.
    pub(crate) async fn refreshed(&self, outlet: &Outlet, version: i64) {
        eventually(&format!("its credential has version {version}"), async || {
            let is = self.credential_version(outlet).await;
            let rows = self.refreshes(outlet).await;
            let sql = format!(
                "SELECT state, note, CAST(due_at AS TEXT), CAST(tries AS TEXT) FROM jobs
                 WHERE unique_key = 'refresh:{}'",
                outlet.id
            );
            let jobs = self.setting().database.rows(&sql).await;
            let now = self.now();
            if is == version { Ok(()) } else { Err(format!("{is} {rows:?} {jobs:?} at {now}")) }
        })
        .await;
    }

    /// What became of each version of an account's credential that was presented.
    pub(crate) async fn refreshes(&self, outlet: &Outlet) -> Vec<(String, String)> {
        let sql = format!(
            "SELECT CAST(version AS TEXT), outcome FROM refreshes WHERE account_id = '{}'
             ORDER BY version",
            outlet.id
        );
        let rows = self.setting().database.rows(&sql).await;
        rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
    }

    /// Waits for what becomes of the first version of an account's credential.
    pub(crate) async fn became(&self, outlet: &Outlet, outcome: &str) {
        eventually(&format!("the first refresh token is {outcome}"), async || {
            let rows = self.refreshes(outlet).await;
            let there = rows.first().is_some_and(|(_, it)| it == outcome);
            if there { Ok(()) } else { Err(format!("{rows:?}")) }
        })
        .await;
    }

    /// The audit's words about an account that begin with `account.`, but for its beginning.
    pub(crate) async fn told_of(&self, outlet: &Outlet) -> Vec<String> {
        let sql = format!(
            "SELECT action FROM audit WHERE subject = '{}' AND action <> 'account.create'
             ORDER BY seq",
            outlet.id
        );
        self.setting().database.rows(&sql).await.concat()
    }

    /// The most often that one refresh token was presented, and how many were.
    pub(crate) fn presented(&self) -> (u32, usize) {
        let presented = self.world().presented();
        let most = presented.values().copied().max().unwrap_or_default();
        (most, presented.values().filter(|times| **times > 0).count())
    }
}
