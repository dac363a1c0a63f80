//! Watches deliveries over the API and tells each as it is published.

use std::time::Duration;

use jiff::Timestamp;
use unicode_segmentation::UnicodeSegmentation as _;

use super::client::Client;
use super::seed::Entered;
use crate::cli::exit::{Failure, say};
use crate::clock::{SharedClock, after};
use crate::domain::attempt::AttemptOutcome;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::DeliveryId;
use crate::service::deliveries::{AttemptView, DeliveryDetail, DeliveryView};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// How long after the last instant everything should have come to its end.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much of a text is shown.
const BEGINNING: usize = 64;

/// What people call a platform.
fn called(platform: &str) -> &str {
    match platform {
        "facebook" => "Facebook",
        "x" => "X",
        other => other,
    }
}

/// What a look has shown.
enum Seen {
    Published,
    Stuck,
    OnItsWay,
}

/// One that has not come to its end.
struct Waiting {
    id: DeliveryId,
    due_at: Timestamp,
    doubted: bool,
}

/// Somebody who watches.
#[derive(Debug)]
pub(super) struct Watcher<'a> {
    /// Asks about the deliveries.
    pub(super) client: &'a Client,
    /// Says when it is time to look.
    pub(super) clock: &'a SharedClock,
    /// Knows what the accounts are called.
    pub(super) entered: &'a Entered,
}

impl Watcher<'_> {
    /// Waits for all of these, tells of each, and returns how many of them were published.
    pub(super) async fn until_out(&self, deliveries: &[DeliveryView]) -> Result<usize, Failure> {
        let out = |one: &&DeliveryView| one.state == DeliveryState::Published;
        let mut published = deliveries.iter().filter(out).count();
        let mut waiting: Vec<Waiting> = deliveries
            .iter()
            .filter(|one| !one.state.is_final())
            .map(|one| Waiting { id: one.id.clone(), due_at: one.due_at, doubted: false })
            .collect();
        let now = self.clock.now();
        let last = waiting.iter().map(|one| one.due_at).max().unwrap_or(now).max(now);
        let end = after(last, PATIENCE);
        while !waiting.is_empty() && self.clock.now() < end {
            let mut still = Vec::new();
            for mut one in waiting {
                if one.due_at > self.clock.now() {
                    still.push(one);
                    continue;
                }
                match self.look(&mut one).await? {
                    Seen::Published => published += 1,
                    Seen::Stuck => {}
                    Seen::OnItsWay => still.push(one),
                }
            }
            waiting = still;
            self.clock.sleep(LOOK).await;
        }
        for one in waiting {
            self.stuck(&self.detail(&one.id).await?)?;
        }
        Ok(published)
    }

    async fn detail(&self, id: &DeliveryId) -> Result<DeliveryDetail, Failure> {
        self.client.get(&format!("deliveries/{id}")).await
    }

    /// Looks at one and tells what is new about it.
    async fn look(&self, one: &mut Waiting) -> Result<Seen, Failure> {
        let detail = self.detail(&one.id).await?;
        match detail.delivery.state {
            DeliveryState::Published => {
                self.tell(&detail)?;
                Ok(Seen::Published)
            }
            DeliveryState::Unknown if !one.doubted => {
                one.doubted = true;
                self.doubt(&detail)?;
                Ok(Seen::OnItsWay)
            }
            DeliveryState::Failed
            | DeliveryState::Missed
            | DeliveryState::Cancelled
            | DeliveryState::Vanished
            | DeliveryState::Recalled
            | DeliveryState::NeedsHuman => {
                self.stuck(&detail)?;
                Ok(Seen::Stuck)
            }
            DeliveryState::Draft
            | DeliveryState::PendingApproval
            | DeliveryState::Scheduled
            | DeliveryState::Publishing
            | DeliveryState::Unknown
            | DeliveryState::Held => Ok(Seen::OnItsWay),
        }
    }

    /// The line that all tellings begin with: the time on the account's wall, its zone, the account
    /// and the language. The name comes last: it may run from right to left.
    fn head(&self, at: Timestamp, detail: &DeliveryDetail) -> String {
        let delivery = &detail.delivery;
        let time = match at.in_tz(&delivery.zone) {
            Ok(local) => local.strftime("%H:%M:%S %:z").to_string(),
            Err(_unknown) => at.to_string(),
        };
        format!(
            "{time} {:<30}  {:<8}  {}  {}",
            delivery.zone,
            called(&delivery.platform),
            delivery.language,
            self.entered.name(&delivery.account_id),
        )
    }

    fn tell(&self, detail: &DeliveryDetail) -> Result<(), Failure> {
        let receipt = detail.delivery.receipt.as_ref();
        let at = receipt.map_or(detail.delivery.state_since, |receipt| receipt.published_at);
        say(self.head(at, detail))?;
        say(format_args!("    {}", beginning(&detail.content.text)))?;
        let link = receipt.and_then(|receipt| receipt.permalink.as_deref());
        say(format_args!("    {}", link.unwrap_or("the platform gave no link")))?;
        if detail.attempts.iter().any(adopted) {
            say("    it was there although the answer was a failure: adopted, not sent again")?;
        }
        Ok(())
    }

    fn doubt(&self, detail: &DeliveryDetail) -> Result<(), Failure> {
        say(self.head(detail.delivery.state_since, detail))?;
        say("    IN DOUBT: the answer was a failure; the account is read before anything else")
    }

    fn stuck(&self, detail: &DeliveryDetail) -> Result<(), Failure> {
        let delivery = &detail.delivery;
        say(self.head(delivery.state_since, detail))?;
        let (id, state) = (&delivery.id, delivery.state);
        let problem = delivery.problem.as_ref();
        let why = problem.map(|it| format!(": {}: {}", it.code, it.detail)).unwrap_or_default();
        say(format_args!("    {id} is {state}{why}"))
    }
}

/// Whether an attempt ended in doubt and its post was found afterwards.
fn adopted(attempt: &AttemptView) -> bool {
    let doubt = attempt.detail.as_ref().is_some_and(|detail| detail.get("code").is_some());
    doubt && attempt.outcome == AttemptOutcome::Published
}

/// The beginning of a text, on one line, without cutting a letter in two.
fn beginning(text: &str) -> String {
    let mut letters = text.graphemes(true);
    let line: String = letters
        .by_ref()
        .take(BEGINNING)
        .map(|it| if it.contains(['\n', '\r']) { " " } else { it })
        .collect();
    if letters.next().is_some() { format!("{line}…") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_one_line_and_cuts_no_letter() {
        assert_eq!(beginning("Xin chào\nbạn"), "Xin chào bạn");
        let family = "👨‍👩‍👧".repeat(BEGINNING + 1);
        assert_eq!(beginning(&family), format!("{}…", "👨‍👩‍👧".repeat(BEGINNING)));
    }
}
