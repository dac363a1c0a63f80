//! Says in the document what the reader of bodies does: names that nobody knows are refused.

use std::collections::BTreeSet;

use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Object, Schema};
use utoipa::openapi::{OpenApi, RefOr};

/// Where references to schemas lead.
const SCHEMAS: &str = "#/components/schemas/";

/// Closes every object that a body may hold, wherever it lies in it.
pub(super) fn close_bodies(document: &mut OpenApi) {
    let mut waiting = Vec::new();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item).into_iter().flatten() {
            let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
            for content in body.content.values_mut() {
                if let RefOr::T(content) = content
                    && let Some(schema) = &mut content.schema
                {
                    close(schema, &mut waiting);
                }
            }
        }
    }
    let Some(components) = &mut document.components else { return };
    let mut seen = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if let Some(schema) = components.schemas.get_mut(&name)
            && seen.insert(name)
        {
            close(schema, &mut waiting);
        }
    }
}

/// The operations of an address.
pub(super) fn operations(
    item: &mut PathItem,
) -> [Option<&mut utoipa::openapi::path::Operation>; 5] {
    [
        item.get.as_mut(),
        item.post.as_mut(),
        item.put.as_mut(),
        item.patch.as_mut(),
        item.delete.as_mut(),
    ]
}

/// Closes what lies here, and notes the names of what lies elsewhere.
fn close(schema: &mut RefOr<Schema>, elsewhere: &mut Vec<String>) {
    match schema {
        RefOr::Ref(to) => {
            elsewhere.extend(to.ref_location.strip_prefix(SCHEMAS).map(str::to_owned));
        }
        RefOr::T(Schema::Object(object)) => close_object(object, elsewhere),
        RefOr::T(Schema::Array(array)) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                close(items, elsewhere);
            }
        }
        RefOr::T(Schema::OneOf(one)) => {
            one.items.iter_mut().for_each(|it| close(it, elsewhere));
        }
        RefOr::T(Schema::AnyOf(any)) => {
            any.items.iter_mut().for_each(|it| close(it, elsewhere));
        }
        // Each part of a sum would refuse the names of the others. No body has one.
        RefOr::T(_) => {}
    }
}

fn close_object(object: &mut Object, elsewhere: &mut Vec<String>) {
    object.properties.values_mut().for_each(|it| close(it, elsewhere));
    // One without named members is free on purpose.
    if !object.properties.is_empty() && object.additional_properties.is_none() {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn bodies_are_closed_down_to_the_last_object_and_answers_are_open() {
        let text = crate::api::document().to_json().unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let closed = |name: &str| {
            document["components"]["schemas"][name]["additionalProperties"] == Value::Bool(false)
        };
        for name in
            ["NewUnit", "UnitName", "NewVariant", "MediaRef", "NewCredential", "WantedLocal"]
        {
            assert!(closed(name), "{name}");
        }
        for name in ["Unit", "PostView", "Problem"] {
            assert!(!closed(name), "{name}");
        }
    }
}
