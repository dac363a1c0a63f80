//! The acts on holds: stop, go on, and what a person decides about that which was caught meanwhile.

use chancery::domain::hold::HoldState;
use chancery::domain::id::HoldId;
use chancery::service::deliveries::{self, DeliveryView};
use chancery::service::holds::{self, HoldView};
use chancery::service::{Error, Window};
use chancery::simulator::Platform;
use serde_json::{Value, json};

use crate::act::{Reach, Verdict, When};
use crate::bans::{Ban, Meant};
use crate::rig::{Order, Rig};

impl Rig {
    /// From the answer on nothing that is covered may arrive but what was in flight.
    pub(crate) fn hold(&mut self, reach: Reach, spare: bool) {
        let scope = match reach {
            Reach::All => json!({"all": true}),
            Reach::Platform(at) => json!({"platform": name(self.outlets[at].platform)}),
            Reach::Account(at) => json!({"account_id": self.outlets[at].id}),
            Reach::Class(class) => json!({"class": class}),
        };
        let mut new = json!({"scope": scope, "reason": "An accident"});
        if spare {
            new["except"] = json!(["urgent"]);
        }
        let new = serde_json::from_value(new).unwrap();
        let answer = self.run(holds::place(self.stage.acts(), self.stage.caller(), new));
        let since = self.journal().len();
        let Some(done) = self.told("hold", answer) else { return };
        let placed = done.value;
        // What is in doubt may have been sent before, and be done by its platform only now.
        let doubtful = ["unknown", "needs_human"];
        let mut leaving: Vec<String> = self
            .rows()
            .into_iter()
            .filter(|row| doubtful.contains(&row.state.as_str()))
            .map(|row| row.id)
            .collect();
        leaving.extend(placed.in_flight.into_iter().map(|it| it.delivery_id.to_string()));
        let texts = self.orders.iter().filter(|it| leaving.iter().any(|id| *id == it.id.as_str()));
        let id = placed.hold.id;
        self.bans.push(Ban {
            why: format!("placed {id} on {reach:?}"),
            meant: Meant::Hold { id, reach, spare },
            leaving: texts.map(|order| order.text.clone()).collect(),
            since,
        });
    }

    fn standing_holds(&self) -> Vec<HoldView> {
        let window = Window { limit: 100, after: None };
        let state = Some(HoldState::Active);
        let (acts, caller) = (self.stage.acts(), self.stage.caller());
        self.run(holds::list(acts, caller, state, &window)).unwrap().items
    }

    /// A hold ends, if there is one.
    pub(crate) fn end_hold(&mut self, k: usize) {
        let standing = self.standing_holds();
        if let Some(index) = k.checked_rem(standing.len()) {
            self.lift(&standing[index].id);
        }
    }

    /// From the answer on what was due while it stood may not arrive before somebody has said so.
    fn lift(&mut self, wanted: &HoldId) {
        let is_it = |meant: &Meant| matches!(meant, Meant::Hold { id, .. } if id == wanted);
        let ended = self.allow(is_it);
        let answer = self.run(holds::lift(self.stage.acts(), self.stage.caller(), wanted));
        let Some(done) = self.told("lift", answer) else {
            self.bans.extend(ended);
            return;
        };
        let lifted = done.value.lifted_at.unwrap().as_millisecond();
        let Some(Meant::Hold { reach, spare, .. }) = ended.first().map(|ban| ban.meant.clone())
        else {
            // It was never confirmed, so nothing was promised.
            return;
        };
        let rows = self.rows();
        let caught = |order: &Order| {
            let row = rows.iter().find(|row| row.id == order.id.as_str());
            row.is_some_and(|row| {
                ["scheduled", "held"].contains(&row.state.as_str()) && row.due_ms < lifted
            })
        };
        let covered = |it: &&Order| reach.covers(spare, it, &self.outlets) && caught(it);
        let orders: Vec<Order> = self.orders.iter().filter(covered).cloned().collect();
        for order in orders {
            self.ban_text(format!("lifted {wanted} over {}", order.id), &order);
        }
    }

    /// Decides about one of those that were caught.
    pub(crate) fn review(&mut self, k: usize, verdict: Verdict) {
        let held = self.held();
        let Some(index) = k.checked_rem(held.len()) else { return };
        self.decide_caught(&held[index], verdict);
    }

    fn held(&mut self) -> Vec<Order> {
        let rows = self.rows();
        let held = |order: &&Order| {
            rows.iter().any(|row| row.id == order.id.as_str() && row.state == "held")
        };
        self.orders.iter().filter(held).cloned().collect()
    }

    fn decide_caught(&mut self, order: &Order, verdict: Verdict) -> bool {
        let mut one = json!({"id": order.id});
        match verdict {
            Verdict::Release => one["act"] = json!("release"),
            Verdict::Later(seconds) => {
                one["act"] = json!("reschedule");
                one["at"] = json!(self.at(When::In(seconds)).to_string());
            }
            Verdict::Drop => one["act"] = json!("drop"),
        }
        let ended = match verdict {
            Verdict::Release | Verdict::Later(_) => self.allow_text(order.outlet, &order.text),
            Verdict::Drop => Vec::new(),
        };
        let answer = self.run(reviewed(self, &one));
        if self.told("review", answer).is_none() {
            self.bans.extend(ended);
            return false;
        }
        if matches!(verdict, Verdict::Drop) {
            self.ban_text(format!("dropped {}", order.id), order);
        }
        true
    }

    /// All holds end.
    pub(crate) fn lift_all(&mut self) {
        for hold in self.standing_holds() {
            self.lift(&hold.id);
        }
    }

    /// Whatever was caught goes out, or is dropped when it is too late for that.
    pub(crate) fn review_all(&mut self) {
        for order in self.held() {
            if !self.decide_caught(&order, Verdict::Release) {
                self.decide_caught(&order, Verdict::Drop);
            }
        }
    }
}

async fn reviewed(rig: &Rig, verdict: &Value) -> Result<Vec<DeliveryView>, Error> {
    let review = serde_json::from_value(json!({"deliveries": [verdict]})).unwrap();
    let done = deliveries::review(rig.stage.acts(), rig.stage.caller(), review).await?;
    Ok(done.value.deliveries)
}

fn name(platform: Platform) -> &'static str {
    platform.name()
}
