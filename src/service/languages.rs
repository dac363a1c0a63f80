//! In which language a post goes to an account, and what happens when it is not ready in that.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan::{Plan, Source, WantedDelivery};
use super::warning::Warning;
use super::{Caller, Error, permit};
use crate::domain::account::Account;
use crate::domain::fault::Fault;
use crate::domain::id::AccountId;
use crate::domain::policy::{Action, Subject};
use crate::domain::post::language_for;
use crate::domain::text::{Direction, Language, NAMED, Named};
use crate::domain::unit::UnitName;
use crate::domain::variant::{self, Variant};
use crate::domain::{translation, words};

/// A language with its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LanguageView {
    /// BCP 47 tag.
    pub tag: String,
    /// What it is called.
    pub name: UnitName,
    /// Which way its texts run.
    pub direction: Direction,
    /// Whether a people of Viet Nam other than the Kinh speaks it.
    pub ethnic: bool,
}

/// The languages that have names here.
pub fn list(caller: &Caller) -> Result<Vec<LanguageView>, Error> {
    permit(caller, Action::ReadAccounts, Subject::Any)?;
    let view = |one: &Named| LanguageView {
        tag: one.tag.to_owned(),
        name: UnitName { vi: one.vi.to_owned(), en: one.en.to_owned() },
        direction: one.tag.parse::<Language>().map_or(Direction::Ltr, |it| it.direction()),
        ethnic: one.ethnic,
    };
    Ok(NAMED.iter().map(view).collect())
}

/// The language that stands in for others.
const ENGLISH: &str = "en";

words! {
    /// What to do when a post has no variant for an account that may go out.
    FallBack {
        /// It goes there in English.
        English = "english",
        /// It does not go there.
        Skip = "skip",
    }
}

/// A delivery that was left out, as was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// Its place in the request.
    pub place: usize,
    /// Where it would have gone.
    pub account_id: AccountId,
    /// The languages of which none is ready.
    pub languages: Vec<String>,
}

/// The variant that goes to an account: in the language that was asked for, else the first of the account's that
/// the post has. With a fall-back the first of them that is ready.
pub(super) fn choose<'a>(
    source: &Source<'a>,
    account: &Account,
    wanted: &WantedDelivery,
    (place, pointer): (usize, &str),
    plan: &mut Plan,
) -> Option<&'a Variant> {
    let asked = wanted.language.as_deref();
    let Some(rule) = wanted.fall_back else {
        let found = first(source.variants, account, asked, pointer, plan)?;
        ready(source, found, pointer, plan);
        return Some(found);
    };
    let languages = match asked {
        Some(tag) => vec![variant::language(tag).unwrap_or_else(|| tag.to_owned())],
        None => account.languages.clone(),
    };
    let in_order = languages.iter().map(String::as_str);
    if let Some(found) = in_order.clone().find_map(|tag| may_go(source, tag)) {
        if in_order.clone().next() != Some(found.language.as_str()) {
            fallen_back(&found.language, &languages, pointer, plan);
        }
        return Some(found);
    }
    match rule {
        FallBack::English => {
            if let Some(found) = may_go(source, ENGLISH) {
                fallen_back(ENGLISH, &languages, pointer, plan);
                return Some(found);
            }
            let detail = "neither these languages nor English are ready";
            let fault = Fault::new(format!("{pointer}/language"), "language_not_ready", detail);
            plan.faults.push(fault.with("languages", languages.join(", ")));
        }
        FallBack::Skip => {
            plan.skipped.push(Skipped { place, account_id: account.id.clone(), languages });
        }
    }
    None
}

/// The variant in a language, if it agrees with its source and may go out.
fn may_go<'a>(source: &Source<'a>, language: &str) -> Option<&'a Variant> {
    let found = translation::of(source.variants, language)?;
    let original = translation::of(source.variants, source.language);
    (found.translation.status.goes_out() && !found.is_stale(original)).then_some(found)
}

fn fallen_back(language: &str, wanted: &[String], pointer: &str, plan: &mut Plan) {
    let wanted = wanted.first().map(String::as_str).unwrap_or_default();
    let detail = format!("it goes out in {language}, since it is not ready in {wanted}");
    let warning = Warning::new(format!("{pointer}/language"), "language_fallen_back", detail);
    plan.warnings.push(warning.with("language", language).with("wanted", wanted));
}

fn first<'a>(
    variants: &'a [Variant],
    account: &Account,
    asked: Option<&str>,
    pointer: &str,
    plan: &mut Plan,
) -> Option<&'a Variant> {
    let wanted = match asked {
        Some(tag) => variant::language(tag),
        None => {
            language_for(account.languages.iter().map(String::as_str), variants).map(str::to_owned)
        }
    };
    let found = wanted.and_then(|tag| translation::of(variants, &tag));
    if found.is_none() {
        let languages: Vec<&str> = variants.iter().map(|one| one.language.as_str()).collect();
        let there = languages.join(", ");
        let detail = match asked {
            Some(tag) => format!("the post has no variant in {tag}; it has {there}"),
            None => format!(
                "none of the account's languages ({}) is among the post's ({there}); say which one",
                account.languages.join(", ")
            ),
        };
        let fault = Fault::new(format!("{pointer}/language"), "language_missing", detail);
        plan.faults.push(fault.with("languages", there));
    }
    found
}

/// Nothing is planned that does not agree with its source, or that may not go out.
fn ready(source: &Source<'_>, variant: &Variant, pointer: &str, plan: &mut Plan) {
    let pointer = format!("{pointer}/language");
    let (language, status) = (&variant.language, variant.translation.status);
    if variant.is_stale(translation::of(source.variants, source.language)) {
        let detail = format!(
            "the source has changed since {language} was made from it: change it, or say that it is still right"
        );
        let fault = Fault::new(&pointer, "variant_stale", detail);
        plan.faults.push(fault.with("languages", language));
    }
    if !status.goes_out() {
        let detail = format!("{language} is {status}: it goes out once somebody has proofed it");
        let fault = Fault::new(&pointer, "variant_not_proofed", detail);
        plan.faults.push(fault.with("language", language).with("status", status));
    }
}
