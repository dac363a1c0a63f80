//! What is wrong with a series, or worth knowing, before it is written: its rule, and its next date as if somebody scheduled it
//! by hand.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::make;
use crate::domain::fault::Fault;
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::recurrence::Rule;
use crate::domain::series::{MOST_ACCOUNTS, Series};
use crate::platforms::rules::SameText;
use crate::service::plan::{self, Source, WantedDelivery};
use crate::service::rules::Blocked;
use crate::service::warning::Warning;
use crate::service::{Caller, Error, Services, all_well, approvals, permit, schedule};
use crate::store::neighbours::Look;
use crate::store::{Reader, accounts, units, variants};

/// The rule and the accounts of a series, as far as they can be judged by themselves.
pub(super) fn rule(series: &Series) -> Result<Rule, Error> {
    let mut faults = Vec::new();
    if series.accounts.is_empty() || series.accounts.len() > MOST_ACCOUNTS {
        let detail = format!("one to {MOST_ACCOUNTS} accounts");
        let fault = Fault::new("/accounts", "count_out_of_range", detail);
        faults.push(fault.with("max", MOST_ACCOUNTS));
    }
    let mut seen = BTreeSet::new();
    for (place, target) in series.accounts.iter().enumerate() {
        if !seen.insert(&target.account_id) {
            let detail = format!("{} is named twice", target.account_id);
            let fault = Fault::new(format!("/accounts/{place}/account_id"), "repeated", detail);
            faults.push(fault.with("value", &target.account_id));
        }
    }
    match series.recurrence.rule() {
        Ok(rule) if faults.is_empty() => Ok(rule),
        Ok(_) => Err(Error::Invalid(faults)),
        Err(more) => {
            faults.extend(more);
            Err(Error::Invalid(faults))
        }
    }
}

pub(super) fn never_fires() -> Fault {
    let detail = "there is no date within ten years on which it would go out: look at day, month, from, until and \
                  except";
    Fault::new("/cron", "never_fires", detail)
}

pub(super) fn post_gone() -> Error {
    Error::fault("", "series_post_gone", "the post of the series was removed")
}

/// Everything about a series, with its next date at each account. Gives what is worth knowing.
pub(super) async fn whole(
    services: &Services,
    caller: &Caller,
    reader: &mut Reader,
    (series, post): (&Series, &Post),
) -> Result<Vec<Warning>, Error> {
    let rule = rule(series)?;
    let now = services.clock.now();
    let unit = units::find(reader, &post.unit_id).await?.ok_or(Error::NotFound)?;
    schedule::check_open(services, &unit)?;
    let asked = next(reader, series, &rule, now).await?;
    let variants = variants::of_posts(reader, &[&post.id]).await?.remove(&post.id);
    let source = Source {
        post_id: Some(&post.id),
        unit_id: &post.unit_id,
        class: post.class,
        language: &post.source_language,
        variants: variants.as_deref().unwrap_or_default(),
        overriding: None,
    };
    let plan = plan::plan(services, caller, reader, &source, asked, Look::Text).await?;
    let here = |pointer: &str| pointer.replacen("/deliveries", "/accounts", 1);
    all_well(
        plan.faults
            .into_iter()
            .map(|fault| Fault { pointer: here(&fault.pointer), ..fault })
            .collect(),
    )?;
    for one in &plan.ready {
        permit(caller, Action::WriteDeliveries, Subject::Account(&one.account.id))?;
    }
    // A rule stands in the way of a date, not of the series.
    let mut warnings: Vec<Warning> = plan
        .warnings
        .into_iter()
        .chain(plan.blocked.iter().map(Blocked::warning))
        .map(|warning| Warning { pointer: here(&warning.pointer), ..warning })
        .collect();
    for one in plan.ready.iter().filter(|one| one.row.part.number == 1) {
        let Some(platform) = services.platforms.get(&one.row.platform) else { continue };
        if platform.rules().same_text_on_many_accounts == SameText::Discouraged {
            let detail = format!(
                "{} refuses the same text again, and may for months: write several posts, or take other accounts",
                platform.name()
            );
            let warning =
                Warning::new(format!("/accounts/{}", one.place), "repeats_refused", detail);
            warnings.push(warning.with("platform", platform.name()));
        }
    }
    if let Err(Error::Conflict(told)) = approvals::check(reader, &unit, Some(&post.id), now).await {
        let detail = format!("nothing goes out until the post is approved: {}", told.detail);
        warnings.push(Warning::new("/post_id", "series_unapproved", detail));
    }
    Ok(warnings)
}

/// The next date at each account, as somebody would ask for it.
async fn next(
    reader: &mut Reader,
    series: &Series,
    rule: &Rule,
    now: Timestamp,
) -> Result<Vec<WantedDelivery>, Error> {
    let ids: Vec<_> = series.accounts.iter().map(|it| it.account_id.clone()).collect();
    let found = accounts::find_many(reader, &ids).await?;
    let mut asked = Vec::with_capacity(ids.len());
    for id in &ids {
        // An account that is not there is asked for too: then the planner says so.
        let own = found.iter().find(|it| it.id == *id).map_or("UTC", |it| it.time_zone.as_str());
        let Some(zone) = series.recurrence.zone_for(own) else { continue };
        let Some(one) = rule.after(now, &zone).next() else {
            return Err(Error::Invalid(vec![never_fires()]));
        };
        asked.push(make::wanted(series, id, &one, zone.iana_name().unwrap_or("UTC")));
    }
    Ok(asked)
}
