//! Something worth knowing about what somebody plans that does not forbid it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::id::DeliveryId;

/// Something worth knowing about a planned delivery that does not forbid it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// Where: a JSON pointer into what was handed in.
    pub pointer: String,
    /// Stable machine word.
    pub code: String,
    /// In the language that was asked for.
    pub detail: String,
    /// The values that the detail names, for programs and for other languages.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// The deliveries that it is about.
    pub deliveries: Vec<DeliveryId>,
}

impl Warning {
    /// A warning at `pointer`, with its words in English.
    pub(super) fn new(
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            pointer: pointer.into(),
            code: code.to_owned(),
            detail: detail.into(),
            values: BTreeMap::new(),
            deliveries: Vec::new(),
        }
    }

    /// With a value for the gap `name` of its words.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers hand in numbers as well as texts")]
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.insert(name.to_owned(), value.to_string());
        self
    }

    /// About this delivery.
    #[must_use]
    pub(super) fn about(mut self, delivery: DeliveryId) -> Self {
        self.deliveries.push(delivery);
        self
    }
}
