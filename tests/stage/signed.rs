//! Accounts on X that are entered with a token of OAuth 1.0a and its secret.

use chancery::service::{Error, accounts};
use chancery::simulator::{Platform, User};
use serde_json::{Value, json};

use super::{Outlet, Stage};

/// What X calls the application, as the service is told of it.
pub(crate) const CONSUMER: [(&str, &str); 2] = [
    ("CHANCERY_X__CONSUMER_KEY", "consumerkey"),
    ("CHANCERY_X__CONSUMER_SECRET", "consumer/secret+"),
];

impl Stage {
    /// A new account on X that has given the application a token with a secret; not entered here.
    pub(crate) fn signer(&self) -> (String, Value) {
        let remote_id = (80_000_000_000 + u64::from(rand::random::<u32>())).to_string();
        let [token, secret] = [super::canary(), super::canary()];
        let username = format!("S{remote_id}");
        let world = self.world();
        world.add_user(User {
            name: username.clone(),
            username,
            id: remote_id.clone(),
            token: format!("bearer{remote_id}"),
            ..User::default()
        });
        let [(_, key), (_, consumer_secret)] = CONSUMER;
        world.set_x_consumer(key, consumer_secret);
        world.add_x_signer(&remote_id, &token, &secret);
        let credential = json!({"kind": "oauth1", "access_token": token, "token_secret": secret});
        (remote_id, credential)
    }

    /// Enters an account with a credential.
    pub(crate) async fn enter(
        &self,
        platform: Platform,
        remote_id: &str,
        credential: &Value,
    ) -> Result<Outlet, Error> {
        let new = json!({
            "unit_id": self.unit, "platform": platform.name(), "remote_id": remote_id,
            "languages": ["en", "vi"], "credential": credential,
        });
        let new = serde_json::from_value(new).unwrap();
        let id = accounts::create(self.acts(), &self.caller, new).await?.value.id;
        let text = |name: &str| credential[name].as_str().unwrap_or_default().to_owned();
        let outlet =
            Outlet { platform, remote_id: remote_id.to_owned(), token: text("access_token"), id };
        // Neither may be seen anywhere.
        let secret = Outlet { token: text("token_secret"), ..outlet.clone() };
        self.outlets.lock().unwrap().extend([outlet.clone(), secret]);
        Ok(outlet)
    }
}
