//! The login dialog and the exchange of codes and tokens: how an application comes to a person's token.
//!
//! Written from "Manually build a login flow" and the access token guide (copies of 2024-10 to 2026);
//! the codes of refused exchanges are those that others have recorded.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::errors::GraphError;
use super::params::Params;
use crate::clock;
use crate::simulator::{
    Call, Choice, Code, PersonToken, Platform, Reply, World, consent_page, refusal_page,
};

/// The permissions there are, as far as publishing to Pages has to do with them.
const PERMISSIONS: [&str; 10] = [
    "public_profile",
    "email",
    "business_management",
    "pages_show_list",
    "pages_manage_posts",
    "pages_manage_engagement",
    "pages_manage_metadata",
    "pages_read_engagement",
    "pages_read_user_content",
    "read_insights",
];

/// What every person grants by letting an application know who he is.
const ALWAYS: &str = "public_profile";

/// `GET /dialog/oauth`, in a browser.
pub(super) fn dialog(world: &World, call: &Call) -> Reply {
    let refuse = |why: &str| refusal_page(Platform::Facebook, why);
    if call.query("client_id") != Some(world.app().id.as_str()) {
        return refuse("Invalid App ID: the provided app ID does not look like a valid app ID.");
    }
    let redirect = call.query("redirect_uri").unwrap_or_default();
    if !world.consents().may_redirect(Platform::Facebook, redirect) {
        return refuse(
            "URL blocked: this redirect failed because the redirect URI is not allow-listed.",
        );
    }
    if call.query("response_type").is_some_and(|kind| kind != "code") {
        return refuse("Only response_type=code is simulated.");
    }
    let asked = match asked(world, call) {
        Ok(asked) => asked,
        Err(unknown) => return refuse(&format!("Invalid Scopes: {unknown}.")),
    };
    let Some(person) = call.query("sim_user") else {
        return form(world, call, &asked);
    };
    if world.consents().person(person).is_none() {
        return refuse("There is no such simulated person.");
    }
    let state = call.query("state").unwrap_or_default();
    if call.query("sim_refuse").is_some() || world.settings().facebook.in_development {
        return back(
            redirect,
            state,
            &[
                ("error", "access_denied"),
                ("error_code", "200"),
                ("error_description", "Permissions error"),
                ("error_reason", "user_denied"),
            ],
        );
    }
    let scopes = granted(world, call, &asked);
    let code = world.consents().give_code(Code {
        platform: Platform::Facebook,
        subject: person.to_owned(),
        client: world.app().id,
        scopes,
        redirect: redirect.to_owned(),
        challenge: None,
        made_at: world.now(),
        used: false,
    });
    back(redirect, state, &[("code", &code)])
}

/// What the application asks for: a list with commas (or spaces), or what its configuration says.
fn asked(world: &World, call: &Call) -> Result<Vec<String>, String> {
    let list: Vec<String> = if call.query("config_id").is_some() {
        world.settings().facebook.login_config.clone()
    } else {
        let scope = call.query("scope").unwrap_or_default();
        scope.split([',', ' ']).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    match list.iter().find(|it| !PERMISSIONS.contains(&it.as_str())) {
        Some(unknown) => Err(unknown.clone()),
        None => Ok(list),
    }
}

/// What the person leaves ticked.
fn granted(world: &World, call: &Call, asked: &[String]) -> Vec<String> {
    let allowed: BTreeSet<&str> = call.queries("sim_allow").into_iter().collect();
    let declined = call.query("sim_decline").unwrap_or_default();
    let declined: BTreeSet<&str> = declined.split(',').collect();
    let by_form = call.query("sim_form").is_some();
    let mut scopes: Vec<String> = asked
        .iter()
        .filter(|scope| !declined.contains(scope.as_str()))
        .filter(|scope| !by_form || allowed.contains(scope.as_str()))
        .cloned()
        .collect();
    scopes.extend(world.settings().facebook.extra_scopes.iter().cloned());
    scopes.push(ALWAYS.to_owned());
    scopes
}

fn form(world: &World, call: &Call, asked: &[String]) -> Reply {
    let consents = world.consents();
    let people: Vec<Choice> = consents
        .people()
        .map(|person| Choice { value: person.id.clone(), label: person.name.clone() })
        .collect();
    let scopes: Vec<Choice> =
        asked.iter().map(|it| Choice { value: it.clone(), label: it.clone() }).collect();
    consent_page(Platform::Facebook, &call.query, &people, &scopes)
}

/// Back to the application. Facebook appends `#_=_`.
fn back(redirect: &str, state: &str, said: &[(&str, &str)]) -> Reply {
    let Ok(mut url) = url::Url::parse(redirect) else {
        return refusal_page(Platform::Facebook, "The redirect is no address.");
    };
    url.query_pairs_mut().extend_pairs(said).append_pair("state", state);
    Reply::redirect(format!("{url}#_=_"))
}

/// `/oauth/access_token`: a code, or a short-lived token, for a person's token.
pub(super) fn access_token(world: &World, params: &Params<'_>) -> Result<Reply, GraphError> {
    let app = world.app();
    let text = |name: &str| params.text(name).unwrap_or_default();
    if text("client_id") != app.id {
        return Err(GraphError::known(101, None).saying(
            "Error validating application. Cannot get application info due to a system error.",
        ));
    }
    if text("client_secret") != app.secret {
        return Err(GraphError::bad_request(1, "Error validating client secret."));
    }
    match params.text("grant_type").as_deref() {
        Some("fb_exchange_token") => exchange_token(world, &text("fb_exchange_token")),
        None | Some("authorization_code") => exchange_code(world, params),
        Some(_) => Err(GraphError::parameter("param grant_type is not known")),
    }
}

fn exchange_code(world: &World, params: &Params<'_>) -> Result<Reply, GraphError> {
    let text = |name: &str| params.text(name).unwrap_or_default();
    let refused = |subcode, what: &str| GraphError::known(100, Some(subcode)).saying(what);
    let Some(code) = world.consents().use_code(Platform::Facebook, &text("code")) else {
        return Err(refused(36_008, "Invalid verification code format."));
    };
    let settings = world.settings();
    let life = Duration::from_secs(settings.facebook.code_life_s);
    if code.used {
        return Err(refused(36_009, "This authorization code has been used."));
    }
    if clock::until(code.made_at, world.now()) >= life {
        return Err(refused(36_007, "This authorization code has expired."));
    }
    if code.redirect != text("redirect_uri") {
        return Err(refused(
            36_008,
            "Error validating verification code. Please make sure your redirect_uri is identical to \
             the one you used in the OAuth dialog request",
        ));
    }
    Ok(give(world, code.subject, code.scopes, false))
}

fn exchange_token(world: &World, token: &str) -> Result<Reply, GraphError> {
    let Some(known) = world.consents().person_token(token).cloned() else {
        return Err(GraphError::known(190, None));
    };
    if let Some(death) = known.death {
        return Err(GraphError::dead_token(death));
    }
    if known.ends_at <= world.now() {
        return Err(GraphError::known(190, Some(463)));
    }
    Ok(give(world, known.person, known.scopes, true))
}

fn give(world: &World, person: String, scopes: Vec<String>, long: bool) -> Reply {
    let (first, exchanged) = world.settings().facebook.person_token_life_s;
    let life = if long { exchanged } else { first };
    let ends_at = clock::after(world.now(), Duration::from_secs(life));
    let token = PersonToken { person, scopes, ends_at, long, death: None };
    let given = world.consents().give_person_token(token);
    let body = json!({ "access_token": given, "token_type": "bearer", "expires_in": life });
    Reply::json(200, &body)
}
