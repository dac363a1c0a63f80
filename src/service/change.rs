//! Partial changes: tells a member that is `null` from one that is not there.

use serde::{Deserialize, Deserializer};

/// What to do with something that may be absent. For members with `#[serde(default)]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It was not named: it stays.
    #[default]
    Keep,
    /// It was named: this, or nothing for `null`.
    Set(Option<T>),
}

impl<T> Change<T> {
    /// Makes the change.
    pub fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Set(value) => *to = value,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(from).map(Self::Set)
    }
}
