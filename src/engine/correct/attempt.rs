//! One try to give a post another text: first a look at what it says, then the intent, durable, and then one
//! request, which may be repeated.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{Came, Correct, Errand, Traces, Tried, reach, shown_text};
use crate::clock::{after, before};
use crate::domain::correction::{current, ours};
use crate::domain::text::normalised;
use crate::domain::variant::{Content, REPEAT_WINDOW, sha256_hex};
use crate::platforms::Platform;
use crate::platforms::correcting::{Corrects, Revision};
use crate::platforms::outcome::{Alteration, Presence, Usage, Witness, Worded, Wording};
use crate::platforms::session::Session;
use crate::queue::gate::Pass;
use crate::store::{Error, corrections};

/// For so long what a post says tells what has come of a request.
const TELLS: Duration = Duration::from_hours(1);

/// With what a post is corrected.
struct Means<'a> {
    platform: &'a dyn Platform,
    corrects: &'a dyn Corrects,
    session: Session,
    remote_id: &'a str,
    said: &'a Content,
}

impl Means<'_> {
    /// A text as a look shows it.
    fn form(&self, text: &str) -> String {
        self.corrects.form(&Content { text: text.to_owned(), ..self.said.clone() })
    }
}

impl Correct {
    /// Looks, and corrects what is still to be corrected.
    pub(super) async fn attempt(&self, errand: &Errand, pass: &Pass) -> Tried {
        let mut traces = Traces::of(&errand.correction);
        let means = match self.means(errand) {
            Ok(means) => means,
            Err(came) => return Tried::without_request(came, Vec::new(), traces),
        };
        let looked = self.tools.clock.now();
        let seen = means.corrects.wording(&means.session, means.remote_id).await;
        let mut usage = seen.usage;
        let found = match seen.value {
            Wording::Says(shown) => self.judge(errand, &means, &shown.text).map_or(Ok(shown), Err),
            Wording::NotThere(said) => Err(gone(&means, &said, &mut usage).await),
            Wording::CannotSee { detail, until } => {
                let detail = format!("it cannot be seen what the post says: {detail}");
                Err(Came::NotYet { detail, until })
            }
        };
        let seen = match found {
            Ok(seen) => seen,
            Err(came) => return Tried::without_request(came, usage, traces),
        };
        if self.came_to_nothing(errand, &means, looked) {
            traces = Traces::NONE;
        }
        let (begun, clock) = (self.tools.clock.now(), self.tools.clock.elapsed());
        match self.intend(errand, (begun, clock), pass).await {
            Ok(true) => {}
            Ok(false) => return Tried::without_request(Came::Overtaken, usage, traces),
            Err(error) => {
                let error = crate::telemetry::Chain(&error);
                tracing::error!(delivery.id = %errand.standing.id, %error, "no intent was written down");
                return Tried::without_request(Came::Overtaken, usage, traces);
            }
        }
        crate::crash_point!("correct.after_intent");
        let (came, unsure) = self.call(errand, &means, &seen, &mut usage).await;
        crate::crash_point!("correct.after_call");
        let made = matches!(came, Came::Made { .. });
        let traces = Traces {
            begun_at: traces.begun_at.or((made || unsure).then_some(begun)),
            open_since: unsure.then_some(begun).or(traces.open_since),
        };
        Tried { came, usage, traces }
    }

    /// Whether nothing has come of all that was sent for it, and nothing can any more, when the post did not say it
    /// at `looked`. Long afterwards somebody else may have changed it back, and what was made once was public.
    fn came_to_nothing(&self, errand: &Errand, means: &Means<'_>, looked: Timestamp) -> bool {
        let (it, reach) = (&errand.correction, reach(&self.tools.pace, means.platform.id()));
        let over = it.open_since.map(|at| after(at, reach));
        let tells = over.is_some_and(|over| (over..after(over, TELLS)).contains(&looked));
        tells && it.ended_at.is_none()
    }

    fn means<'a>(&'a self, errand: &'a Errand) -> Result<Means<'a>, Came> {
        let refused =
            |code: &str, detail: &str| Came::Refused { code: code.into(), detail: detail.into() };
        let waits = |detail: &str| Came::Waits { detail: detail.to_owned() };
        let Some((prepared, said)) = &errand.prepared else {
            return Err(waits("the account has no credential any more"));
        };
        let Some(remote_id) = &errand.standing.remote_id else {
            return Err(refused("remote_id", "its id at the platform is not known"));
        };
        let platform = self.tools.platforms.get(&prepared.platform).map(AsRef::as_ref);
        let Some((platform, corrects)) = platform.and_then(|it| Some((it, it.corrects()?))) else {
            return Err(refused("platform", "this build cannot correct posts of the platform"));
        };
        if let Some(fixed) = corrects.fixed(remote_id, said) {
            return Err(refused(fixed.what, fixed.detail));
        }
        let Ok(session) = self.tools.session(prepared) else {
            return Err(waits(
                "the account's credential does not open with the key of this process",
            ));
        };
        Ok(Means { platform, corrects, session, remote_id, said })
    }

    /// What follows from what the post says; nothing when the correction is to be made.
    fn judge(&self, errand: &Errand, means: &Means<'_>, shown: &str) -> Option<Came> {
        let form = |text: &str| means.form(text);
        let (first, history) = (&means.said.text, &errand.history);
        let wanted = form(&errand.correction.text);
        if is_same(shown, &wanted, &form(current(first, history))) {
            // Before its own request only an old view, or a form that leaves something out, can say so: asking
            // for it once more than needed does no harm.
            let asked = errand.correction.begun_at.is_some();
            let how = "the post says it already";
            return asked.then_some(Came::Made { how, replaced: None });
        }
        if self.is_ours(errand, means, shown) {
            return None;
        }
        let shown = shown_text(shown);
        // Somebody has changed it at the platform. A person who has seen that may have it replaced.
        let may = errand.correction.overwrite.as_ref() == Some(&sha256_hex(shown.as_bytes()));
        (!may).then_some(Came::Conflict { shown })
    }

    /// Whether a post may say this because of us.
    fn is_ours(&self, errand: &Errand, means: &Means<'_>, shown: &str) -> bool {
        let lag = self.tools.pace.quiet_wait.of(means.platform.id());
        let (first, now) = (&means.said.text, self.tools.clock.now());
        let ours = ours(first, &errand.history, now, lag);
        ours.iter().any(|text| normalised(&means.form(text)) == normalised(shown))
    }

    /// Writes down that the request is about to leave, and leaves; false when it must not.
    async fn intend(
        &self,
        errand: &Errand,
        (now, clock): (Timestamp, Duration),
        pass: &Pass,
    ) -> Result<bool, Error> {
        let mut tx = self.tools.store.begin_for("correct").await?;
        let which = (&errand.standing.id, errand.correction.number);
        let times = (now, before(now, REPEAT_WINDOW));
        if !corrections::begin(&mut tx, which, self.lease.holder(), times).await? {
            return Ok(false);
        }
        tx.commit().await?;
        let (pace, stood) = (&self.tools.pace, self.tools.clock.elapsed().saturating_sub(clock));
        let needed = pace.request_timeout + pace.margin;
        Ok(may_leave((stood, pace.lease), (self.lease.left(), needed)) && pass.leave().is_ok())
    }

    /// What came of the request, and whether it may still take effect although nobody knows.
    async fn call(
        &self,
        errand: &Errand,
        means: &Means<'_>,
        seen: &Worded,
        usage: &mut Vec<Usage>,
    ) -> (Came, bool) {
        let said = Content { text: errand.correction.text.clone(), ..means.said.clone() };
        let (language, settings) = match &errand.prepared {
            Some((prepared, _)) => (prepared.language.as_str(), &prepared.settings),
            None => ("", &Value::Null),
        };
        let revision = Revision {
            remote_id: means.remote_id,
            said: &said,
            language,
            settings,
            beside: &seen.beside,
        };
        let answer = means.corrects.correct(&means.session, &revision).await;
        usage.extend(answer.usage);
        match answer.value {
            Alteration::Made => {
                let replaced = means.corrects.replaced(&means.session, &revision).await;
                usage.extend(replaced.usage);
                // Nobody can say with a request what it is to replace.
                let foreign = replaced.value.filter(|text| {
                    normalised(text) != normalised(&seen.text) && !self.is_ours(errand, means, text)
                });
                let how = "the platform says that it has done so";
                (Came::Made { how, replaced: foreign.map(|text| shown_text(&text)) }, false)
            }
            Alteration::NotThere(said) => (gone(means, &said, usage).await, false),
            Alteration::Refused(refusal) => {
                (Came::Refused { code: refusal.code, detail: refusal.detail }, false)
            }
            Alteration::Deferred(put_off) => {
                (Came::NotYet { detail: put_off.detail, until: put_off.until }, false)
            }
            Alteration::Unknown(detail) => {
                let detail = format!("the answer does not say whether it was done ({detail})");
                (Came::NotYet { detail, until: None }, true)
            }
        }
    }
}

/// Whether a request may leave that has stood since its intent, and of whose lease so much is left. Others
/// count from the intent how long it may come, so it leaves within one lease of it or not at all.
fn may_leave((stood, most): (Duration, Duration), (left, needed): (Duration, Duration)) -> bool {
    stood < most && left >= needed
}

/// The platform says that there is no such post: it is gone only if the account can be read.
async fn gone(means: &Means<'_>, said: &str, usage: &mut Vec<Usage>) -> Came {
    let seen = means.platform.presence(&means.session, means.remote_id, &Witness::default()).await;
    usage.extend(seen.usage);
    match seen.value {
        Presence::Gone => Came::Missing { detail: said.to_owned() },
        Presence::There => Came::NotYet { detail: format!("it is there ({said})"), until: None },
        Presence::CannotSee { detail, until } => {
            let detail = format!("{said}; the account cannot be read: {detail}");
            Came::NotYet { detail, until }
        }
    }
}

/// Whether a post says what it is to say. Platforms tidy blanks; where the blanks are all that is to be
/// corrected they count.
fn is_same(shown: &str, wanted: &str, current: &str) -> bool {
    let blanks = normalised(wanted) == normalised(current);
    normalised(shown) == normalised(wanted) && (!blanks || shown.trim() == wanted.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_under_an_old_intent_or_without_time_for_the_answer() {
        let s = Duration::from_secs;
        assert!(may_leave((s(59), s(60)), (s(25), s(25))));
        assert!(!may_leave((s(60), s(60)), (s(60), s(25))), "the lease was renewed meanwhile");
        assert!(!may_leave((s(0), s(60)), (s(24), s(25))));
    }

    #[test]
    fn blanks_count_only_where_they_are_what_is_corrected() {
        assert!(is_same("A b\n", "A  b", "something else"));
        assert!(!is_same("A b", "B", "A b"));
        assert!(!is_same("A b", "A\n\nb", "A b"), "a break between them is wanted");
        assert!(is_same("A\n\nb ", "A\n\nb", "A b"));
    }
}
