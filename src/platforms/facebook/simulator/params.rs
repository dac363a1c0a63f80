//! The parameters of a Graph call, wherever they were put: query, form, JSON or multipart.

use std::borrow::Cow;

use axum::body::Bytes;
use serde_json::Value;

use crate::simulator::{Call, Content};

/// All parameters of one call.
pub(super) struct Params<'a> {
    pairs: Vec<(&'a str, Cow<'a, Value>)>,
    texts: Vec<(&'a str, Cow<'a, str>)>,
    files: Vec<(&'a str, &'a Bytes)>,
}

impl<'a> Params<'a> {
    pub(super) fn of(call: &'a Call) -> Self {
        let mut params = Self { pairs: Vec::new(), texts: Vec::new(), files: Vec::new() };
        match &call.content {
            Content::Form(fields) => params.texts.extend(texts(fields)),
            Content::Json(Value::Object(fields)) => params
                .pairs
                .extend(fields.iter().map(|(key, value)| (key.as_str(), Cow::Borrowed(value)))),
            Content::Multipart(parts) => {
                for part in parts {
                    if part.is_file {
                        params.files.push((&part.name, &part.bytes));
                    } else {
                        params.texts.push((&part.name, String::from_utf8_lossy(&part.bytes)));
                    }
                }
            }
            Content::Json(_) | Content::BrokenJson | Content::File(_) | Content::Other => {}
        }
        params.texts.extend(texts(&call.query));
        params
    }

    /// A parameter as text; numbers and truth values are written out, structures as JSON.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        if let Some((_, text)) = self.texts.iter().find(|(key, _)| *key == name) {
            return Some(text.clone().into_owned());
        }
        match self.json(name)? {
            Value::Null => Some(String::new()),
            Value::String(text) => Some(text.clone()),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Some(other.to_string())
            }
        }
    }

    fn json(&self, name: &str) -> Option<&Value> {
        self.pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_ref())
    }

    /// A parameter that is true or false.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.text(name)?.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// A file of that name.
    pub(super) fn file(&self, name: &str) -> Option<&'a Bytes> {
        self.files.iter().find(|(key, _)| *key == name).map(|(_, bytes)| *bytes)
    }

    /// The access token: header first, then the parameter.
    pub(super) fn token(&self, call: &Call) -> Option<String> {
        call.bearer()
            .map(str::to_owned)
            .or_else(|| self.text("access_token"))
            .filter(|token| !token.is_empty())
    }

    /// The photo ids of `attached_media`; none when the parameter cannot be read.
    pub(super) fn attached_media(&self) -> Option<Vec<String>> {
        let mut ids = Vec::new();
        if let Some(list) = self.text("attached_media") {
            let list: Value = serde_json::from_str(&list).ok()?;
            for item in list.as_array()? {
                ids.push(media_id(item)?);
            }
        }
        // The form way: attached_media[0]={"media_fbid":"1"} or attached_media[0][media_fbid]=1.
        for (key, text) in &self.texts {
            let Some(rest) = key.strip_prefix("attached_media[") else { continue };
            if rest.ends_with("][media_fbid]") {
                ids.push(text.clone().into_owned());
            } else {
                ids.push(media_id(&serde_json::from_str(text).ok()?)?);
            }
        }
        Some(ids)
    }
}

fn texts(fields: &[(String, String)]) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    fields.iter().map(|(key, value)| (key.as_str(), Cow::Borrowed(value.as_str())))
}

fn media_id(item: &Value) -> Option<String> {
    match item.get("media_fbid")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
