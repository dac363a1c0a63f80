//! The dry run of a post and its schedule: what each platform counts, when everything would go out,
//! what stands in the way and what it would cost. Changes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::languages::Skipped;
use super::plan::{self, Plan, Ready, Source, WantedDelivery, shown_zone};
use super::posts::{self, NewPost};
use super::remaining::{Remaining, remaining};
use super::rules::Override;
use super::term_base::Terms;
use super::warning::Warning;
use super::{Caller, Error, Services, approvals, campaigns, permit, rules, schedule};
use crate::domain::account::Health;
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, PostId, UnitId};
use crate::domain::policy::{Action, Subject};
use crate::domain::schedule as time;
use crate::domain::text::{MarkKind, marks, parts};
use crate::domain::translation::{Before, Unproofed};
use crate::domain::variant::{Content, Variant};
use crate::platforms::rules::{Counting, Rules};
use crate::platforms::{check, check_parts};
use crate::store::neighbours::Look;
use crate::store::{self, Reader, units, variants};

/// So many odd characters are listed.
const MOST_ODD: usize = 200;

/// A post, written out or saved, and what is wanted of it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct WantedCheck {
    /// A post that need not be saved. Exactly one of `post` and `post_id` is needed.
    #[serde(default)]
    pub post: Option<NewPost>,
    /// A saved post.
    #[serde(default)]
    pub post_id: Option<PostId>,
    /// When and where it is to go out; may be empty.
    #[serde(default)]
    pub deliveries: Vec<WantedDelivery>,
    /// They are to wait for approval where the unit wants that.
    #[serde(default)]
    pub awaiting_approval: bool,
    /// They are to be let through where rules block them.
    #[serde(default, rename = "override")]
    pub overriding: Option<Override>,
}

/// What a dry run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// True when nothing stands in the way of writing and scheduling exactly this.
    pub ok: bool,
    /// Everything that stands in the way.
    pub errors: Vec<Problem>,
    /// Everything that is worth knowing.
    pub warnings: Vec<Warning>,
    /// What would be left out because of `fall_back: skip`.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// What each platform counts in each language.
    pub counts: Vec<Count>,
    /// The deliveries that could be written, with their instants.
    pub deliveries: Vec<Planned>,
    /// What the deliveries would cost, as far as platforms take money.
    pub cost_usd_micros: u64,
    /// The limits that the deliveries touch, with what is left of them now.
    pub remaining: Vec<Remaining>,
    /// The odd characters of the variants: what readers do not see, or what turns a text around.
    pub odd_characters: Vec<OddCharacter>,
}

/// An odd character, so that it can be shown where nobody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OddCharacter {
    /// BCP 47 tag of the variant.
    pub language: String,
    /// Where: a JSON pointer inside the variant.
    pub pointer: String,
    /// How many code points stand before it there.
    pub place: usize,
    /// Its number, such as `U+202E`.
    pub code_point: String,
    /// What it does.
    pub kind: MarkKind,
    /// True when it may not be published there.
    pub refused: bool,
}

/// Something that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
// Not the name of the answer that is no success.
#[schema(as = Obstacle)]
pub struct Problem {
    /// Where: a JSON pointer into what was handed in.
    pub pointer: String,
    /// Stable machine word.
    pub code: String,
    /// In the language that was asked for.
    pub detail: String,
    /// The values that the detail names, for programs and for other languages.
    pub values: BTreeMap<String, String>,
}

/// What a platform counts in one variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// The platform's id, as in `GET /platforms`.
    pub platform: String,
    /// BCP 47 tag.
    pub language: String,
    /// Which part of it, from 1; the first comment is the last.
    pub part: i64,
    /// How it counts: `code_points` or `weighted_v3`.
    pub counting: String,
    /// What the text counts there, with its link where that goes into the text.
    pub count: u32,
    /// The most it may count.
    pub max: u32,
    /// Where it counts more and the platform has threads: the text cut where a reader would pause, each
    /// piece short enough for a part of a thread, beside the link too.
    pub pieces: Vec<String>,
    /// Everything that the platform's rules say about the variant; with its first part.
    pub findings: Vec<Finding>,
}

/// What a platform's rules say about a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Where: a JSON pointer inside the variant.
    pub pointer: String,
    /// Stable machine word.
    pub code: String,
    /// In the language that was asked for.
    pub detail: String,
    /// The values that the detail names, for programs and for other languages.
    pub values: BTreeMap<String, String>,
    /// True when it forbids publishing there.
    pub fatal: bool,
}

/// A delivery as it would be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Planned {
    /// Its place in the request.
    pub place: usize,
    /// Which part of what is said, from 1.
    pub part: i64,
    /// Where it would go.
    pub account_id: AccountId,
    /// The platform's id.
    pub platform: String,
    /// BCP 47 tag.
    pub language: String,
    /// Its instant.
    pub due_at: Timestamp,
    /// The same on the wall in `zone`.
    pub due_local: String,
    /// The zone that was asked for, else the account's.
    pub zone: String,
    /// It would not go out at or after this instant.
    pub publish_by: Timestamp,
    /// What it would cost.
    pub cost_usd_micros: Option<u64>,
}

/// Checks a post and its schedule.
pub async fn dry_run(
    services: &Services,
    caller: &Caller,
    wanted: WantedCheck,
) -> Result<Report, Error> {
    let mut reader = services.store.read().await?;
    let drafted = wanted.post.is_some();
    let mut found = examine(services, caller, &mut reader, wanted).await?;
    if let Some(unit) = &found.unit_id {
        let terms = Terms::of_unit(services, &mut reader, unit).await?;
        let told = terms.warnings(&found.source_language, &found.variants).into_iter();
        found.plan.warnings.extend(told.map(|one| named_in_post(one, drafted)));
    }
    let left = remaining(services, &mut reader, &found.plan.ready, services.clock.now()).await?;
    Ok(report(services, found.errors, found.plan, &found.variants, left))
}

/// A warning about a variant, with its place in what was handed in: of a saved post that is only its name.
fn named_in_post(warning: Warning, drafted: bool) -> Warning {
    let place = warning.pointer.clone();
    let pointer = if drafted { format!("/post{place}") } else { "/post_id".to_owned() };
    Warning { pointer, ..warning }.with("place", place)
}

/// What was found about a post and its schedule.
#[derive(Default)]
pub(super) struct Examined {
    /// What is wrong with the post itself.
    pub(super) errors: Vec<Fault>,
    /// What came of planning it.
    pub(super) plan: Plan,
    variants: Vec<Variant>,
    source_language: String,
    /// Whose the post is; nothing where it could not be saved.
    unit_id: Option<UnitId>,
}

/// Looks at a post and its schedule as they would be looked at before they are written.
pub(super) async fn examine(
    services: &Services,
    caller: &Caller,
    reader: &mut Reader,
    wanted: WantedCheck,
) -> Result<Examined, Error> {
    permit(caller, Action::ReadPosts, Subject::Any)?;
    let mut errors = rules::check_override(wanted.overriding.as_ref());
    let subject = match (wanted.post, &wanted.post_id) {
        (Some(post), None) => drafted(services, caller, reader, post, &mut errors).await?,
        (None, Some(id)) => Some(saved(reader, caller, id).await?),
        (Some(_), Some(_)) | (None, None) => {
            let detail = "give exactly one of post and post_id";
            return Err(Error::fault("", "post_or_post_id", detail));
        }
    };
    let Some(subject) = subject else {
        return Ok(Examined { errors, ..Examined::default() });
    };
    if let Some(unit) = units::find(reader, &subject.unit_id).await?
        && !wanted.deliveries.is_empty()
    {
        let now = services.clock.now();
        let open = schedule::check_open(services, &unit);
        let approved = if wanted.awaiting_approval {
            Ok(())
        } else {
            approvals::check(reader, &unit, wanted.post_id.as_ref(), now).await
        };
        for refused in [open, approved] {
            match refused {
                Ok(()) => {}
                Err(Error::Conflict(told)) => {
                    let fault = Fault::new("/deliveries", told.code, told.detail);
                    errors.push(
                        told.args.into_iter().fold(fault, |it, (name, value)| it.with(name, value)),
                    );
                }
                Err(error) => return Err(error),
            }
        }
    }
    let source = Source {
        post_id: wanted.post_id.as_ref(),
        unit_id: &subject.unit_id,
        class: subject.class,
        language: &subject.source_language,
        variants: &subject.variants,
        overriding: wanted.overriding.as_ref(),
    };
    let plan = if wanted.deliveries.is_empty() {
        Plan::default()
    } else {
        let look = Look::TextAndTime;
        plan::plan(services, caller, reader, &source, wanted.deliveries, look).await?
    };
    Ok(Examined {
        errors,
        plan,
        variants: subject.variants,
        source_language: subject.source_language,
        unit_id: Some(subject.unit_id),
    })
}

/// What is checked.
struct Checked {
    unit_id: UnitId,
    class: crate::domain::class::Class,
    source_language: String,
    variants: Vec<Variant>,
}

/// A post that is not saved; `None` when it could not be saved either.
async fn drafted(
    services: &Services,
    caller: &Caller,
    reader: &mut Reader,
    post: NewPost,
    errors: &mut Vec<Fault>,
) -> Result<Option<Checked>, Error> {
    let unit_id = post.unit_id.clone();
    let below = |mut fault: Fault| {
        fault.pointer = format!("/post{}", fault.pointer);
        fault
    };
    let draft = match post.settle() {
        Ok(draft) => draft,
        Err(faults) => {
            errors.extend(faults.into_iter().map(below));
            return Ok(None);
        }
    };
    let unit = units::find(reader, &unit_id).await?;
    let unit = unit.filter(|unit| caller.actor.sees_unit(&unit.id));
    let now = services.clock.now();
    let mut faults: Vec<Fault> =
        posts::open_unit(unit.as_ref(), &unit_id, now).err().into_iter().collect();
    let campaign = draft.campaign_id.as_deref();
    faults.extend(campaigns::check_reference(reader, &caller.actor, campaign).await?);
    let files = posts::files(reader, &draft.variants).await?;
    let (source_language, unproofed) = (draft.source_language, Unproofed::new());
    let before = Before { variants: &[], source_language: &source_language, unproofed: &unproofed };
    let me = &caller.actor.person_id;
    let variants =
        posts::settled(draft.variants, &source_language, &files, (1, before), me, &mut faults);
    let whole = faults.is_empty();
    errors.extend(faults.into_iter().map(below));
    Ok(whole.then_some(Checked { unit_id, class: draft.class, source_language, variants }))
}

async fn saved(reader: &mut Reader, caller: &Caller, id: &PostId) -> Result<Checked, Error> {
    // The address is there; what is wrong is a name inside the body.
    let post = store::posts::find(reader, id).await?;
    let Some(post) = post.filter(|post| caller.actor.sees_unit(&post.unit_id)) else {
        let fault = Fault::new("/post_id", "unknown_reference", format!("there is no post {id}"));
        return Err(Error::Invalid(vec![fault.with("value", id)]));
    };
    let variants = variants::of_posts(reader, &[id]).await?.remove(id).unwrap_or_default();
    let source_language = post.source_language;
    Ok(Checked { unit_id: post.unit_id, class: post.class, source_language, variants })
}

fn report(
    services: &Services,
    mut errors: Vec<Fault>,
    plan: Plan,
    variants: &[Variant],
    remaining: Vec<Remaining>,
) -> Report {
    errors.extend(plan.obstacles());
    let deliveries: Vec<Planned> = plan.ready.iter().map(|one| planned(services, one)).collect();
    Report {
        ok: errors.is_empty(),
        errors: errors
            .into_iter()
            .map(|fault| Problem {
                pointer: fault.pointer,
                code: fault.code.to_owned(),
                detail: fault.detail,
                values: named(fault.args),
            })
            .collect(),
        warnings: plan.warnings,
        skipped: plan.skipped,
        counts: counts(services, &plan.ready, variants),
        cost_usd_micros: deliveries.iter().filter_map(|one| one.cost_usd_micros).sum(),
        deliveries,
        remaining,
        odd_characters: variants.iter().flat_map(odd_characters).take(MOST_ODD).collect(),
    }
}

/// The odd characters of everything in a variant that is shown to readers.
fn odd_characters(variant: &Variant) -> Vec<OddCharacter> {
    let parts = variant.content.each_part();
    parts.iter().zip(0..).flat_map(|(part, number)| of_part(variant, part, number)).collect()
}

fn of_part(variant: &Variant, part: &Content, number: usize) -> Vec<OddCharacter> {
    let at = check_parts::place(&variant.content, number);
    // A first comment is a text and nothing else.
    let comment = number > variant.content.thread.len();
    let text = if comment && number > 0 { at.clone() } else { format!("{at}/text") };
    let alts = part.media.iter().enumerate();
    let alts = alts.map(|(place, one)| (format!("{at}/media/{place}/alt"), one.alt.as_str()));
    let texts = [(text, part.text.as_str())].into_iter();
    let texts = texts.chain(part.link.iter().map(|it| (format!("{at}/link"), it.as_str())));
    texts
        .chain(alts)
        .flat_map(|(pointer, text)| {
            marks(text).into_iter().map(move |mark| OddCharacter {
                language: variant.language.clone(),
                pointer: pointer.clone(),
                place: mark.place,
                code_point: format!("U+{:04X}", u32::from(mark.character)),
                kind: mark.kind,
                refused: mark.refused,
            })
        })
        .collect()
}

fn named(args: Vec<(&'static str, String)>) -> BTreeMap<String, String> {
    args.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What the platforms count: those that the deliveries go to, or all when there are none.
fn counts(services: &Services, ready: &[Ready], variants: &[Variant]) -> Vec<Count> {
    let mut wanted: BTreeMap<(&str, &str), &Health> = BTreeMap::new();
    for one in ready {
        let health = wanted
            .entry((one.row.platform.as_str(), one.row.language.as_str()))
            .or_insert(&one.account.health);
        // One that may say less than the others speaks for all.
        if !one.account.health.long_posts {
            *health = &one.account.health;
        }
    }
    let ordinary = Health::default();
    let mut counts = Vec::new();
    for platform in services.platforms.iter() {
        for variant in variants {
            let pair = (platform.id(), variant.language.as_str());
            if let Some(health) =
                wanted.get(&pair).copied().or(wanted.is_empty().then_some(&ordinary))
            {
                counts.extend(count(platform.id(), variant, &platform.rules().of(health)));
            }
        }
    }
    counts
}

fn count(platform: &str, variant: &Variant, rules: &Rules) -> Vec<Count> {
    let finding = |one: check::Finding| Finding {
        pointer: one.pointer,
        code: one.code.to_owned(),
        detail: one.detail,
        values: named(one.args)
            .into_iter()
            .chain([("language".to_owned(), variant.language.clone())])
            .collect(),
        fatal: one.fatal,
    };
    let found = check_parts::check(&variant.content, rules);
    let mut found: Vec<Finding> = found.into_iter().map(finding).collect();
    let counting = match rules.text.counting {
        Counting::CodePoints => "code_points",
        Counting::WeightedV3 => "weighted_v3",
        Counting::Graphemes => "graphemes",
        Counting::GraphemesLinks23 => "graphemes_links23",
    };
    let pieces = variant.content.thread.len();
    let one = |(part, content): (i64, &Content)| Count {
        platform: platform.to_owned(),
        language: variant.language.clone(),
        part,
        counting: counting.to_owned(),
        count: check::count(&content.text, content.link.as_deref(), rules),
        max: match usize::try_from(part) {
            Ok(number) if number > pieces + 1 => rules.follow_ups.max_comment,
            Ok(_) | Err(_) => rules.text.max,
        },
        pieces: match usize::try_from(part) {
            Ok(number) if number <= pieces + 1 => cut(content, rules),
            Ok(_) | Err(_) => Vec::new(),
        },
        findings: std::mem::take(&mut found),
    };
    (1..).zip(&variant.content.each_part()).map(one).collect()
}

/// A text that is too long as pieces for a thread; none where it fits, or would not fit a thread either.
fn cut(content: &Content, rules: &Rules) -> Vec<String> {
    let link = content.link.as_deref();
    let count = |text: &str| check::count(text, link, rules);
    let most = rules.follow_ups.max_thread;
    if most == 0 || count(&content.text) <= rules.text.max {
        return Vec::new();
    }
    let pieces = parts(&content.text, rules.text.max, count);
    if pieces.len() > most + 1 { Vec::new() } else { pieces }
}

fn planned(services: &Services, one: &Ready) -> Planned {
    let row = &one.row;
    let zone = shown_zone(row.civil.as_ref(), &one.account.time_zone);
    let rule = services.platforms.get(&row.platform).and_then(|platform| platform.rules().cost);
    let cost = rule.map(|rule| u64::try_from(rule.of(&one.said())).unwrap_or(0));
    Planned {
        place: one.place,
        part: row.part.number,
        account_id: row.account_id.clone(),
        platform: row.platform.clone(),
        language: row.language.clone(),
        due_at: row.due_at,
        due_local: time::local_in(row.due_at, zone),
        zone: zone.to_owned(),
        publish_by: row.publish_by,
        cost_usd_micros: cost,
    }
}
