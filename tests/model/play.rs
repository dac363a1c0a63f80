//! Plays one act: what a person does, what a platform does, what happens to process and clock.

use std::time::Duration;

use chancery::clock::before;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::{self, Adoption, Recalling};
use chancery::service::{Error, accounts, posts};
use chancery::simulator::{Death, Fault, Kind as FaultKind, Operation};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::act::{Act, Says, When, Wish, speaks};
use crate::bans::{Ban, Meant};
use crate::rig::{Order, Rig};
use crate::stage::{Wanted, on};
use crate::watch::ENDS;

/// Without waiting for anything but what happens at once.
const SHORT: usize = 3;

impl Rig {
    /// Lets one thing happen.
    pub(crate) fn play(&mut self, act: &Act) {
        let seconds = Duration::from_secs;
        match act {
            Act::Post(wish) => self.post(wish),
            Act::Cancel(k) => self.cancel(*k),
            Act::Reschedule(k, when) => self.reschedule(*k, *when),
            Act::Edit(k) => self.edit(*k),
            Act::Decide(k, again) => self.decide(*k, *again),
            Act::Pause(at) => self.pause(*at),
            Act::Go(at) => self.go(*at),
            Act::Check(at) => self.check(*at),
            Act::Hold(reach, spare) => self.hold(*reach, *spare),
            Act::Lift(k) => self.end_hold(*k),
            Act::Review(k, verdict) => self.review(*k, *verdict),
            Act::Recall(k) => self.recall(*k),
            Act::Replace(at) => self.renew(*at),
            Act::Remove(at) => self.remove(*at),
            Act::Disturb(at, calls, kind, times) => self.disturb(*at, *calls, kind, *times),
            Act::Lag(at, lag) => {
                let outlet = &self.outlets[*at];
                let world = self.stage.world();
                world.set_read_lag(outlet.platform, &outlet.remote_id, Some(seconds(*lag)));
            }
            Act::Revoke(at) => self.stage.world().revoke(&self.outlets[*at].token, Death::Expired),
            Act::Breathe => self.breathe(SHORT),
            Act::Advance(span) => self.advance(seconds(*span)),
            Act::Brink(span) => self.brink(Duration::from_millis(*span)),
            Act::Suspend(span) => self.suspend(seconds(*span)),
            Act::Step(span) => self.step(SignedDuration::from_secs(*span)),
            Act::Restart(down) => self.restart(seconds(*down)),
            Act::Crash(at, down) => self.crash(Duration::from_micros(*at), seconds(*down)),
            Act::Node(clean) => self.turn_node(*clean),
        }
    }

    /// A refusal is an answer; a failure of ours is not.
    pub(crate) fn told<T>(&mut self, what: &str, answer: Result<T, Error>) -> Option<T> {
        match answer {
            Ok(done) => Some(done),
            Err(error @ Error::Internal(_)) => {
                self.found.push(format!("{what}: {}", chancery::telemetry::Chain(&error)));
                None
            }
            Err(_refused) => None,
        }
    }

    fn order(&self, k: usize) -> Option<Order> {
        self.orders.get(k.checked_rem(self.orders.len())?).cloned()
    }

    fn post(&mut self, wish: &Wish) {
        let outlet = self.outlets[wish.outlet].clone();
        let mut wanted = Wanted::text("model").class(wish.class);
        let (mut repeat, mut link) = (false, wish.link);
        if let Says::Again(k) | Says::Repeat(k) = wish.says {
            let own: Vec<_> = self.orders.iter().filter(|it| it.outlet == wish.outlet).collect();
            if let Some(index) = k.checked_rem(own.len()) {
                wanted.text.clone_from(&own[index].text);
                repeat = matches!(wish.says, Says::Repeat(_));
                link = own[index].link;
            }
        }
        if let Says::Foreign = wish.says {
            let long_ago = before(self.stage.world().now(), Duration::from_hours(1));
            let (platform, id) = (outlet.platform, outlet.remote_id.as_str());
            self.stage.world().insert_foreign_at(platform, id, &wanted.text, long_ago);
        }
        if link {
            wanted = wanted.link("https://mofa.example/a?b=1");
        }
        if wish.picture {
            let picture = match &self.picture {
                Some(picture) => picture.clone(),
                None => self.run(self.stage.picture(9)).0,
            };
            wanted = wanted.picture(&picture, "Quốc kỳ");
            self.picture = Some(picture);
        }
        let at = self.at(wish.when);
        if let When::In(_) = wish.when {
            wanted = wanted.at(at);
        }
        if let Some(within) = wish.within {
            wanted = wanted.publish_by(chancery::clock::after(at, Duration::from_secs(within)));
        }
        if repeat {
            wanted = wanted.repeat();
        }
        if let Some(kind) = wish.fault.as_ref().filter(|kind| speaks(outlet.platform, kind)) {
            self.lates += usize::from(matches!(kind, FaultKind::Late { .. }));
            self.stage.spoil(&outlet, kind.clone());
        }
        self.allow_text(wish.outlet, &wanted.text);
        let post = self.run(self.stage.write(&wanted));
        let asked = self.run(self.stage.try_schedule(&post, &[wanted.delivery(&outlet)]));
        if let Some(ids) = self.told("schedule", asked) {
            let text = wanted.text;
            self.orders.extend(ids.into_iter().map(|id| {
                let (post, text) = (post.clone(), text.clone());
                Order { post, id, text, outlet: wish.outlet, class: wish.class, link, repeat }
            }));
        }
    }

    pub(crate) fn at(&self, when: When) -> jiff::Timestamp {
        let span = match when {
            When::Now => 0,
            When::In(seconds) => seconds,
        };
        chancery::clock::after(self.stage.now(), Duration::from_secs(span))
    }

    fn cancel(&mut self, k: usize) {
        let Some(order) = self.order(k) else { return };
        let stage = &self.stage;
        let answer = self.run(deliveries::cancel(stage.acts(), stage.caller(), &order.id));
        if self.told("cancel", answer).is_none() {
            return;
        }
        self.ban_text(format!("cancelled {}", order.id), &order);
    }

    /// This delivery must not leave any more. Where another one says the same nobody could tell.
    pub(crate) fn ban_text(&mut self, why: String, order: &Order) {
        let same = |other: &&Order| other.outlet == order.outlet && other.text == order.text;
        if self.orders.iter().filter(same).count() == 1 {
            let account = self.outlets[order.outlet].remote_id.clone();
            let meant = Meant::Text { account, text: order.text.clone() };
            let since = self.journal().len();
            self.bans.push(Ban { why, meant, leaving: Vec::new(), since });
        }
    }

    fn reschedule(&mut self, k: usize, when: When) {
        let Some(order) = self.order(k) else { return };
        let to = match when {
            When::Now => json!({"now": true}),
            When::In(_) => json!({"at": self.at(when).to_string()}),
        };
        let to = serde_json::from_value(to).unwrap();
        let ended = self.allow_text(order.outlet, &order.text);
        let (acts, caller) = (self.stage.acts(), self.stage.caller());
        let answer = self.run(deliveries::reschedule(acts, caller, &order.id, None, to));
        if self.told("reschedule", answer).is_none() {
            // Nothing has changed, so what was promised stands.
            self.bans.extend(ended);
        }
    }

    /// What was scheduled keeps what it says.
    fn edit(&mut self, k: usize) {
        let Some(order) = self.order(k) else { return };
        let variant = json!({"language": "en", "text": "Something else was written here"});
        let change = serde_json::from_value(json!({"variants": [variant]})).unwrap();
        let (acts, caller) = (self.stage.acts(), self.stage.caller());
        let answer = self.run(posts::change(acts, caller, &order.post, None, change));
        self.told("edit", answer);
    }

    /// A person looks at the live account: he adopts what is there, and sends again or drops what is
    /// not. Where two of the same text hang he waits.
    fn decide(&mut self, k: usize, again: bool) {
        self.advance(Duration::ZERO);
        let rows = self.rows();
        let state = |id: &DeliveryId| {
            rows.iter().find(|row| row.id == id.as_str()).map_or("", |row| row.state.as_str())
        };
        let asking: Vec<_> =
            self.orders.iter().filter(|it| state(&it.id) == "needs_human").cloned().collect();
        let Some(index) = k.checked_rem(asking.len()) else { return };
        let order = asking[index].clone();
        let open = self.orders.iter().filter(|other| {
            other.outlet == order.outlet
                && other.text == order.text
                && !ENDS.contains(&state(&other.id))
        });
        if open.count() > 1 {
            return;
        }
        let there = self.unclaimed(&order);
        let (acts, caller) = (self.stage.acts(), self.stage.caller());
        if let Some(id) = there.first() {
            let found = Adoption { remote_id: Some(id.clone()), permalink: None };
            let answer = self.run(deliveries::adopt(acts, caller, &order.id, found));
            self.told("adopt", answer);
        } else if again {
            let answer = self.run(deliveries::retry(acts, caller, &order.id));
            self.told("retry", answer);
        } else {
            let answer = self.run(deliveries::give_up(acts, caller, &order.id));
            self.told("drop", answer);
        }
    }

    /// From the answer on the post goes away, whatever happens.
    fn recall(&mut self, k: usize) {
        let Some(order) = self.order(k) else { return };
        let wish = Recalling { reason: "A wrong figure".to_owned() };
        let (acts, caller) = (self.stage.acts(), self.stage.caller());
        let answer = self.run(deliveries::recall(acts, caller, &order.id, wish));
        // An answer that is an error may have been kept all the same.
        let sure = self.told("recall", answer).is_some();
        let known = self.recalls.entry(order.id.to_string()).or_default();
        *known |= sure;
    }

    fn change(&mut self, at: usize, what: &str, change: Value) -> bool {
        let change = serde_json::from_value(change).unwrap();
        let (acts, caller) = (self.stage.acts(), self.stage.caller());
        let answer = self.run(accounts::change(acts, caller, &self.outlets[at].id, None, change));
        self.told(what, answer).is_some()
    }

    fn pause(&mut self, at: usize) {
        if !self.change(at, "pause", json!({"status": "paused"})) {
            return;
        }
        let account = self.outlets[at].id.to_string();
        let leaving: Vec<_> = self
            .rows()
            .into_iter()
            .filter(|row| row.account_id == account)
            .filter(|row| row.state == "publishing" || row.state == "unknown")
            .map(|row| row.id)
            .collect();
        let texts = self.orders.iter().filter(|it| leaving.iter().any(|id| *id == it.id.as_str()));
        let remote_id = self.outlets[at].remote_id.clone();
        self.bans.push(Ban {
            why: format!("paused {account}"),
            meant: Meant::Account(remote_id),
            leaving: texts.map(|order| order.text.clone()).collect(),
            since: self.journal().len(),
        });
    }

    /// What was promised about this ends here, kept or not; gives it back.
    pub(crate) fn allow(&mut self, ends: impl Fn(&Meant) -> bool) -> Vec<Ban> {
        let journal = self.journal();
        let ended: Vec<Ban> = self.bans.extract_if(.., |ban| ends(&ban.meant)).collect();
        let broken = ended.iter().flat_map(|ban| ban.broken(&journal, &self.orders, &self.outlets));
        self.found.extend(broken);
        ended
    }

    /// An account may publish again.
    fn allow_account(&mut self, at: usize) {
        let own = self.outlets[at].remote_id.clone();
        self.allow(|meant| matches!(meant, Meant::Account(account) if *account == own));
    }

    /// A text is wanted on an account, anew or at another time.
    pub(crate) fn allow_text(&mut self, at: usize, wanted: &str) -> Vec<Ban> {
        let own = self.outlets[at].remote_id.clone();
        self.allow(|meant| match meant {
            Meant::Text { account, text } => *account == own && text == wanted,
            Meant::Account(_) | Meant::Hold { .. } => false,
        })
    }

    fn go(&mut self, at: usize) {
        self.allow_account(at);
        self.change(at, "resume", json!({"status": "connected"}));
    }

    fn check(&mut self, at: usize) {
        self.allow_account(at);
        let (acts, caller) = (self.stage.acts(), self.stage.caller());
        let answer = self.run(accounts::check(acts, caller, &self.outlets[at].id));
        self.told("check", answer);
    }

    /// A new credential, and the account goes on with it.
    pub(crate) fn renew(&mut self, at: usize) {
        self.allow_account(at);
        let token = self.stage.new_token(&self.outlets[at]);
        self.outlets[at].token.clone_from(&token);
        let kind = match self.outlets[at].platform {
            chancery::simulator::Platform::Facebook
            | chancery::simulator::Platform::Mastodon
            | chancery::simulator::Platform::Bluesky => "page_token",
            chancery::simulator::Platform::X => "oauth2",
        };
        let credential = json!({"kind": kind, "access_token": token});
        self.change(at, "replace", json!({"credential": credential, "status": "connected"}));
    }

    fn remove(&mut self, at: usize) {
        let (acts, caller) = (self.stage.acts(), self.stage.caller());
        let answer = self.run(accounts::remove(acts, caller, &self.outlets[at].id, None));
        if self.told("remove", answer).is_some() {
            self.removed.insert(self.outlets[at].id.to_string());
        }
    }

    fn disturb(&mut self, at: usize, calls: Operation, kind: &FaultKind, times: u32) {
        let outlet = &self.outlets[at];
        let known = speaks(outlet.platform, kind);
        // What is done later is followed for creates only.
        if known && !matches!(kind, FaultKind::Late { .. }) {
            let fault: Fault = on(outlet, calls, kind.clone());
            self.stage.world().faults().push(fault.times(times));
        }
    }
}
