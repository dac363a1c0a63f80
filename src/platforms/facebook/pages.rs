//! The Pages that a person's token reaches, each with its own token.
//!
//! `/me/accounts` can leave out Pages that a person reaches only through a business portfolio
//! (reported by another client, 2026-08-21), so portfolios are walked too where that was granted.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde_json::Value;

use super::api::Graph;
use super::sign_in::{ask, unsendable};
use crate::domain::account::CredentialKind;
use crate::platforms::outcome::{LongPosts, Owner};
use crate::platforms::sign_in::{Candidate, Fresh, Means, SignInError};
use crate::platforms::wire::{is_number, text_at};

/// What is asked about each Page.
const FIELDS: &str = "id,name,access_token,tasks";

/// A list is followed for so many answers: more Pages than any ministry has.
const ANSWERS: usize = 10;

/// So many portfolios are walked.
const PORTFOLIOS: usize = 20;

/// The right that opens portfolios.
const PORTFOLIO: &str = "business_management";

/// Without this task on a Page nobody may publish there (Page tasks, copy of 2026-08-23).
const TASK: &str = "CREATE_CONTENT";

/// All Pages, each once.
pub(super) async fn all(
    means: &Means,
    graph: &Graph<'_>,
    scopes: &[String],
) -> Result<Vec<Candidate>, SignInError> {
    let mut nodes = list(means, graph, &["me", "accounts"], FIELDS).await?;
    if scopes.iter().any(|scope| scope == PORTFOLIO) {
        nodes.extend(in_portfolios(means, graph).await?);
    }
    let mut seen = BTreeSet::new();
    Ok(nodes
        .iter()
        .filter_map(candidate)
        // The person's own role comes first: where there are two ways, it counts.
        .filter(|it| seen.insert(it.owner.remote_id.clone()))
        .collect())
}

async fn in_portfolios(means: &Means, graph: &Graph<'_>) -> Result<Vec<Value>, SignInError> {
    let businesses = list(means, graph, &["me", "businesses"], "id").await?;
    let mut nodes = Vec::new();
    for business in businesses.iter().take(PORTFOLIOS) {
        let Some(id) = text_at(business, "id").filter(|id| is_number(id)) else { continue };
        for edge in ["owned_pages", "client_pages"] {
            match list(means, graph, &[&id, edge], FIELDS).await {
                Ok(more) => nodes.extend(more),
                // A role in a portfolio need not reach its Pages; what the person reaches stays.
                Err(SignInError::Refused(_)) => {}
                Err(lost @ SignInError::Unreachable(_)) => return Err(lost),
            }
        }
    }
    Ok(nodes)
}

/// A list to its end. Its `next` is not followed: the token is in it.
async fn list(
    means: &Means,
    graph: &Graph<'_>,
    path: &[&str],
    fields: &str,
) -> Result<Vec<Value>, SignInError> {
    let mut nodes = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..ANSWERS {
        let mut query = vec![("fields", fields), ("limit", "100")];
        query.extend(after.as_deref().map(|after| ("after", after)));
        let request = graph.get(path, &query).map_err(unsendable)?;
        let value = ask(means, request).await?;
        let data = value.get("data").and_then(Value::as_array);
        let data = data.ok_or_else(|| SignInError::Unreachable("no list of Pages".to_owned()))?;
        nodes.extend(data.iter().cloned());
        let goes_on = value.pointer("/paging/next").is_some();
        let cursor = value.pointer("/paging/cursors/after").and_then(Value::as_str);
        match cursor.filter(|_| goes_on).map(str::to_owned) {
            Some(cursor) if after.as_ref() != Some(&cursor) => after = Some(cursor),
            Some(_) | None => return Ok(nodes),
        }
    }
    Ok(nodes)
}

fn candidate(node: &Value) -> Option<Candidate> {
    let owner = Owner {
        remote_id: text_at(node, "id").filter(|id| is_number(id))?,
        name: text_at(node, "name")?,
        handle: None,
        followers: None,
        long_posts: LongPosts::default(),
    };
    let tasks = node.get("tasks").and_then(Value::as_array);
    let may_create = tasks.is_none_or(|tasks| tasks.iter().any(|it| it == TASK));
    let token = text_at(node, "access_token").filter(|token| !token.is_empty());
    let credential = match (may_create, token) {
        (false, _) => Err("task_create_content"),
        (true, None) => Err("no_token"),
        (true, Some(token)) => Ok(Fresh {
            kind: CredentialKind::PageToken,
            access: SecretString::from(token),
            refresh: None,
            // Made from a long-lived token, it has no end of its own.
            expires_at: None,
        }),
    };
    Some(Candidate { owner, credential })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_is_offered_only_with_the_right_to_publish_and_a_token() {
        let page = |tasks: Value, token: &str| {
            let node = json!({"id": "1", "name": "a", "tasks": tasks, "access_token": token});
            candidate(&node).expect("a page").credential.err()
        };
        assert_eq!(page(json!(["ANALYZE", TASK]), "t"), None);
        assert_eq!(page(json!(["ANALYZE"]), "t"), Some("task_create_content"));
        assert_eq!(page(json!([TASK]), ""), Some("no_token"));
        assert!(candidate(&json!({"id": "../me", "name": "a"})).is_none());
    }
}
