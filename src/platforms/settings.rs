//! Settings of a delivery that only one platform has: read strictly, and described by a schema that is made
//! of the same type.

use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::PartialSchema;

use super::wire::Unsendable;

/// What a platform lets one set for a delivery.
pub(super) trait Settings: DeserializeOwned + Default + PartialSchema {
    /// What its form cannot say; pairs of pointer and reason.
    fn faults(&self) -> Vec<(String, String)>;
}

/// The settings as they were checked when the delivery was scheduled.
pub(super) fn read<T: Settings>(settings: &Value) -> Result<T, Unsendable> {
    if settings.is_null() {
        return Ok(T::default());
    }
    T::deserialize(settings).map_err(|_misread| Unsendable::Settings)
}

/// What is wrong with settings; pairs of pointer and reason.
pub(super) fn check<T: Settings>(settings: &Value) -> Vec<(String, String)> {
    let members = match settings {
        Value::Null => return Vec::new(),
        Value::Object(members) => members,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return vec![(String::new(), "settings are an object".to_owned())];
        }
    };
    let schema = schema::<T>();
    let properties = schema.get("properties");
    let known = |name: &str| properties.is_some_and(|it| it.get(name).is_some());
    let unknown: Vec<_> = members
        .keys()
        .filter(|name| !known(name))
        .map(|name| {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            (pointer, "this platform has no such setting".to_owned())
        })
        .collect();
    if !unknown.is_empty() {
        return unknown;
    }
    match serde_path_to_error::deserialize::<_, T>(settings) {
        Ok(read) => read.faults(),
        Err(misread) => vec![(pointer(misread.path()), misread.inner().to_string())],
    }
}

/// Their JSON Schema.
pub(super) fn schema<T: Settings>() -> Value {
    // A schema of our own is always JSON.
    serde_json::to_value(T::schema()).unwrap_or_default()
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}
