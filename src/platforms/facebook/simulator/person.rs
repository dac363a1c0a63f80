//! What a person's own token can read: who he is, what he granted, his Pages and portfolios.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::errors::GraphError;
use super::params::Params;
use super::{check_proof, fields};
use crate::simulator::{Account, Call, Person, PersonToken, Platform, Reply, Role, World};

/// A call in a person's name.
struct Reading<'a> {
    world: &'a World,
    params: &'a Params<'a>,
    person: Person,
    token: PersonToken,
    path: &'a str,
}

/// The answer to a call with a person's token; `None` when the token is none.
pub(super) fn answer(
    world: &World,
    call: &Call,
    params: &Params<'_>,
    token: &str,
    path: &[&str],
) -> Option<Result<Reply, GraphError>> {
    let (record, person) = {
        let consents = world.consents();
        let record = consents.person_token(token)?.clone();
        let person = consents.person(&record.person).cloned();
        (record, person)
    };
    if let Some(death) = record.death {
        return Some(Err(GraphError::dead_token(death)));
    }
    if record.ends_at <= world.now() {
        return Some(Err(GraphError::known(190, Some(463))));
    }
    let Some(person) = person else { return Some(Err(GraphError::known(190, Some(458)))) };
    if let Err(error) = check_proof(world, params, token) {
        return Some(Err(error));
    }
    let reading = Reading { world, params, person, token: record, path: &call.path };
    Some(reading.dispatch(call, path))
}

impl Reading<'_> {
    fn dispatch(&self, call: &Call, path: &[&str]) -> Result<Reply, GraphError> {
        if call.method != http::Method::GET {
            // Only a Page can publish.
            return Err(GraphError::known(200, None));
        }
        let own = |node: &str| node == "me" || node == self.person.id;
        match path {
            [node] if own(node) => self.me(),
            [node, "permissions"] if own(node) => Ok(self.permissions()),
            [node, "accounts"] if own(node) => self.own_pages(),
            [node, "businesses"] if own(node) => self.businesses(),
            [business, edge @ ("owned_pages" | "client_pages")] => self.portfolio(business, edge),
            [page] => self.page(page),
            _ => Err(GraphError::missing(path.last().copied().unwrap_or_default())),
        }
    }

    fn has(&self, scope: &str) -> bool {
        self.token.scopes.iter().any(|it| it == scope)
    }

    fn me(&self) -> Result<Reply, GraphError> {
        let asked = self.params.text("fields").unwrap_or_else(|| "id,name".to_owned());
        let mut node = Map::new();
        for field in fields::parse(&asked)? {
            match field.name.as_str() {
                "name" => {
                    node.insert(field.name, self.person.name.as_str().into());
                }
                "id" | "email" | "picture" => {}
                // A person has no followers: with this, others tell a person's token from a Page's.
                unknown => return Err(fields::nonexisting(unknown, "User")),
            }
        }
        node.insert("id".to_owned(), self.person.id.as_str().into());
        Ok(Reply::json(200, &Value::Object(node)))
    }

    fn permissions(&self) -> Reply {
        let all = self.token.scopes.iter();
        let data: Vec<Value> =
            all.map(|scope| json!({ "permission": scope, "status": "granted" })).collect();
        Reply::json(200, &json!({ "data": data }))
    }

    fn own_pages(&self) -> Result<Reply, GraphError> {
        let shown = if self.has("pages_show_list") { self.person.pages.as_slice() } else { &[] };
        let nodes: Vec<Value> = shown.iter().filter_map(|role| self.node(role)).collect();
        self.paged(&nodes)
    }

    fn businesses(&self) -> Result<Reply, GraphError> {
        self.needs_portfolio()?;
        let all = self.person.businesses.iter();
        let nodes: Vec<Value> = all.map(|it| json!({ "id": it.id, "name": it.name })).collect();
        self.paged(&nodes)
    }

    fn portfolio(&self, business: &str, edge: &str) -> Result<Reply, GraphError> {
        self.needs_portfolio()?;
        let business = self.person.businesses.iter().find(|it| it.id == business);
        let business = business.ok_or_else(|| GraphError::missing(edge))?;
        let roles = if edge == "owned_pages" { &business.owned } else { &business.client };
        let nodes: Vec<Value> = roles.iter().filter_map(|role| self.node(role)).collect();
        self.paged(&nodes)
    }

    fn needs_portfolio(&self) -> Result<(), GraphError> {
        if self.has("business_management") {
            return Ok(());
        }
        Err(GraphError::known(200, None).saying("(#200) Requires business_management permission"))
    }

    /// One Page that the person reaches, with its token.
    fn page(&self, page: &str) -> Result<Reply, GraphError> {
        let portfolio =
            self.person.businesses.iter().flat_map(|it| it.owned.iter().chain(&it.client));
        let role = self.person.pages.iter().chain(portfolio).find(|role| role.page == page);
        let node =
            role.and_then(|role| self.node(role)).ok_or_else(|| GraphError::missing(page))?;
        Ok(Reply::json(200, &node))
    }

    fn node(&self, role: &Role) -> Option<Value> {
        let account = self.world.account(Platform::Facebook, &role.page)?;
        let asked = self
            .params
            .text("fields")
            .unwrap_or_else(|| "access_token,category,name,id,tasks".to_owned());
        let mut node = Map::new();
        for field in asked.split(',').map(str::trim) {
            let value = match field {
                "name" => Some(Value::from(account.profile.name.as_str())),
                "tasks" => Some(json!(role.tasks)),
                "category" => Some("Government organization".into()),
                "followers_count" => Some(account.profile.followers.into()),
                "access_token" => self.page_token(&account).map(Value::from),
                _ => None,
            };
            if let Some(value) = value {
                node.insert(field.to_owned(), value);
            }
        }
        node.insert("id".to_owned(), account.profile.id.as_str().into());
        Some(Value::Object(node))
    }

    /// A Page's token lives as long as the person's that it was made from, and for ever when that one
    /// had been exchanged. Without a right on Pages there is none.
    fn page_token(&self, account: &Arc<Account>) -> Option<String> {
        if !self.token.scopes.iter().any(|scope| scope.starts_with("pages_")) {
            return None;
        }
        let page = &account.profile.id;
        let word = self.world.consents().mint("page-token", page);
        if self.token.long {
            self.world.add_token_for(Platform::Facebook, page, &word);
        } else {
            self.world.add_ending_token(Platform::Facebook, page, &word, self.token.ends_at);
        }
        Some(word)
    }

    /// One answer of a list, with the cursor behind it.
    fn paged(&self, nodes: &[Value]) -> Result<Reply, GraphError> {
        let most = self.world.settings().facebook.pages_per_answer;
        let limit = match self.params.text("limit").map(|limit| limit.parse::<usize>()) {
            None => 25,
            Some(Ok(limit)) if limit > 0 => limit.min(most),
            Some(_) => return Err(GraphError::parameter("param limit must be a number")),
        };
        let from = match self.params.text("after").filter(|after| !after.is_empty()) {
            None => 0,
            Some(after) => place(&after).ok_or_else(|| GraphError::parameter("Invalid cursor"))?,
        };
        let end = nodes.len().min(from.saturating_add(limit));
        let shown = nodes.get(from..end).unwrap_or_default();
        let cursor = |at: usize| URL_SAFE_NO_PAD.encode(at.to_string());
        let mut paging = json!({ "cursors": { "before": cursor(from), "after": cursor(end) } });
        if end < nodes.len() {
            // The full address, with the token in it, as Graph gives it.
            let next = format!("https://graph.facebook.com{}?access_token=…", self.path);
            if let Some(paging) = paging.as_object_mut() {
                paging.insert("next".to_owned(), next.into());
            }
        }
        Ok(Reply::json(200, &json!({ "data": shown, "paging": paging })))
    }
}

fn place(cursor: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}
