//! Writes to one person what has happened of one kind: everything that waits, in one plain mail.
//!
//! A mail server that does not answer delays mail and nothing else; the inbox in the product is the
//! truth. A mail may come twice after a crash, under the same Message-ID.

use std::time::Duration;

use jiff::Timestamp;

use super::Means;
use crate::clock::{after, before};
use crate::domain::id::MailItemId;
use crate::domain::outbox::{Locale, Occasion};
use crate::domain::outbox_text::{heading, sentence};
use crate::domain::work;
use crate::outbound::mail::{Letter, Unsent};
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, Settled, Settlement, Verdict, Work};
use crate::queue::retry::BackOff;
use crate::store::jobs::{Claimed, Ending};
use crate::store::mail_items::{self, Item, Reached};
use crate::store::{Error, Tx};
use crate::telemetry::Chain;

/// Most messages that one mail speaks of; what is more comes with the next.
const MOST: u32 = 500;
/// Most of them that it tells one by one.
const LISTED: usize = 30;
/// Mails at once on this node: a mail server wants to be asked politely.
const SIDE_BY_SIDE: usize = 2;

/// The kind of work that writes mail.
#[derive(Debug)]
pub struct Write {
    means: Means,
    desk: String,
}

/// One mail to be sent.
#[derive(Debug)]
pub struct Errand {
    mail: work::Mail,
    items: Vec<Item>,
    letter: Letter,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The mail server took it.
    Sent,
    /// The mail server refuses it for good.
    Refused,
    /// It is to be tried again.
    Later,
}

impl Report {
    const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Later => "later",
        }
    }
}

impl Write {
    /// Writes with these means; `desk` is where people find the service.
    pub fn new(means: Means, desk: String) -> Self {
        Self { means, desk }
    }

    async fn admit_one(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        job: &Claimed,
    ) -> Result<Admission<Errand>, Error> {
        let Ok(mail) = serde_json::from_value::<work::Mail>(job.payload.clone()) else {
            return Ok(Admission::Not(Ending::Discarded, "unreadable".to_owned()));
        };
        if before(now, self.means.mail.give_up_after) > job.created_at {
            mail_items::close_all(tx, &mail.person_id, mail.event, "given_up", now).await?;
            return Ok(Admission::Not(Ending::Discarded, "given up".to_owned()));
        }
        let Some(to) = mail_items::reached(tx, &mail.person_id).await? else {
            mail_items::close_all(tx, &mail.person_id, mail.event, "left", now).await?;
            return Ok(Admission::Not(Ending::Discarded, "may not sign in".to_owned()));
        };
        let items = mail_items::items(tx, &mail.person_id, mail.event, MOST).await?;
        if items.is_empty() {
            return Ok(Admission::Not(Ending::Done, "nothing waits".to_owned()));
        }
        let letter = letter(to, mail.event, &items, &self.desk);
        Ok(Admission::Run(Errand { mail, items, letter }))
    }

    async fn send(&self, errand: &Errand) -> Report {
        let Some(mailer) = &self.means.mailer else { return Report::Later };
        let person = &errand.mail.person_id;
        // The library's deadline is for each command; this one is for all.
        let answer = tokio::select! {
            answer = mailer.send(&errand.letter) => answer,
            () = self.means.clock.sleep(self.means.mail.timeout) => Err(Unsent::Later("no answer in time".into())),
        };
        let report = match answer {
            Ok(()) => Report::Sent,
            Err(error @ Unsent::Refused(_)) => {
                tracing::warn!(actor.id = %person, error = %Chain(&error), "a mail was refused");
                Report::Refused
            }
            Err(error @ Unsent::Later(_)) => {
                tracing::warn!(actor.id = %person, error = %Chain(&error), "a mail waits");
                Report::Later
            }
        };
        metrics::counter!("chancery_mails_total", "outcome" => report.word()).increment(1);
        report
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Errand, Report>],
    ) -> Result<Settlement, Error> {
        let mut settlement = Settlement::default();
        for one in done {
            let ids: Vec<&MailItemId> = one.item.items.iter().map(|item| &item.id).collect();
            let verdict = match one.report {
                Report::Sent | Report::Refused => {
                    mail_items::close(tx, &ids, one.report.word(), now).await?;
                    // What has come meanwhile is found by the relay.
                    Verdict::DONE
                }
                Report::Later => {
                    let mail = &self.means.mail;
                    let back_off = BackOff { first: mail.backoff, most: mail.backoff_max };
                    let tries = u32::try_from(one.job.tries).unwrap_or(u32::MAX);
                    let wait = back_off.wait(tries, rand::random());
                    Verdict::again(after(now, wait), "the mail server does not take it now")
                }
            };
            settlement.verdicts.push(verdict);
        }
        Ok(settlement)
    }
}

fn letter(to: Reached, event: Occasion, items: &[Item], desk: &str) -> Letter {
    let locale = to.locale;
    let mut body = String::new();
    let mut line = |text: &str| {
        body.push_str(text);
        body.push('\n');
    };
    line(&match locale {
        Locale::Vi => format!("Kính gửi {},", to.name),
        Locale::En => format!("Dear {},", to.name),
    });
    line("");
    for item in items.iter().take(LISTED) {
        let message = &item.message;
        let at = message.at.strftime("%Y-%m-%d %H:%M UTC");
        line(&format!("* {at}: {}", sentence(message.event, locale, &message.names)));
    }
    if let Some(more) = items.len().checked_sub(LISTED).filter(|more| *more > 0) {
        line(&match locale {
            Locale::Vi => format!("* và {more} việc khác"),
            Locale::En => format!("* and {more} more"),
        });
    }
    line("");
    line(&match locale {
        Locale::Vi => format!("Xem và xử lý tại {desk}"),
        Locale::En => format!("See and decide at {desk}"),
    });
    let count = items.len();
    let subject = match count {
        1 => heading(event, locale).to_owned(),
        _ => format!("{} ({count})", heading(event, locale)),
    };
    // By what it tells: a mail that is sent again is the same one.
    let id = items.first().map(|item| item.id.to_string()).unwrap_or_default();
    Letter { name: to.name, email: to.email, id, subject, body }
}

impl Work for Write {
    const KIND: &'static str = work::MAIL;
    type Item = Errand;
    type Report = Report;

    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }

    fn least_lease(&self) -> Duration {
        Duration::ZERO
    }

    fn workers(&self) -> usize {
        SIDE_BY_SIDE
    }

    fn admit<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<Errand>>, Error>> {
        Box::pin(async move {
            let mut admissions = Vec::with_capacity(jobs.len());
            for job in jobs {
                admissions.push(self.admit_one(tx, now, job).await?);
            }
            Ok(admissions)
        })
    }

    /// A stop does not wait for the mail server: what it did not take is sent again.
    fn run<'a>(&'a self, _: &'a Claimed, errand: &'a Errand, pass: Pass) -> Later<'a, Report> {
        Box::pin(async move {
            tokio::select! {
                biased;
                // First: what was taken back before it began is not begun.
                () = pass.taken_back() => Report::Later,
                report = self.send(errand) => report,
            }
        })
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Errand, Report>],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(self.settle_all(tx, now, done))
    }

    fn lost<'a>(
        &'a self,
        _: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        let at = after(now, self.means.mail.backoff);
        let verdicts =
            jobs.iter().map(|job| Verdict::lost(job, at, "lost while writing")).collect();
        Box::pin(async move { Ok(Settlement { verdicts, enqueued: Vec::new() }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::MessageId;
    use crate::domain::outbox_text::Names;
    use crate::store::outbox::Message;

    fn items(count: u128) -> Vec<Item> {
        let at = Timestamp::UNIX_EPOCH;
        (0..count)
            .map(|number| Item {
                id: MailItemId::new(at, number),
                message: Message {
                    id: MessageId::new(at, number),
                    event: Occasion::DeliveryFailed,
                    at,
                    account_id: None,
                    data: serde_json::json!({}),
                    names: Names { what: format!("Tin {number}"), ..Names::default() },
                },
            })
            .collect()
    }

    fn to(locale: Locale) -> Reached {
        Reached { email: "an@mofa.example".into(), name: "An".into(), locale }
    }

    #[test]
    fn many_come_in_one_mail_in_the_readers_language() {
        let desk = "https://desk.example/";
        let one = letter(to(Locale::Vi), Occasion::DeliveryFailed, &items(1), desk);
        assert_eq!(one.subject, "Bài không đăng được");
        assert!(one.body.starts_with("Kính gửi An,\n") && one.body.contains("Tin 0"), "{one:?}");
        let many = letter(to(Locale::En), Occasion::DeliveryFailed, &items(34), desk);
        assert_eq!(many.subject, "Could not be published (34)");
        assert!(many.body.contains("* and 4 more\n") && many.body.contains(desk), "{many:?}");
        assert_eq!(many.body.matches("Tin").count(), LISTED);
    }
}
