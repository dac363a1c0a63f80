//! What is true: types and rules, with no input or output, no clock and nothing asynchronous.
//!
//! The words are those of `docs/glossary.md`.

pub mod account;
pub mod actor;
pub mod approval;
pub mod attempt;
pub mod audit;
pub mod budget;
pub mod campaign;
pub mod chain;
pub mod circuit;
pub mod class;
pub mod comment;
pub mod connection;
pub mod correction;
pub mod delivery;
pub mod difference;
pub mod embargo;
pub mod event;
pub mod fault;
pub mod feed;
pub mod foreign;
pub mod head;
pub mod hold;
pub mod ics;
pub mod id;
pub mod import;
pub mod invariant;
pub mod kit;
pub mod ladder;
pub mod listed_day;
pub mod locale;
pub mod lunar;
pub mod media;
pub mod outbox;
pub mod outbox_text;
pub mod parts;
pub mod policy;
pub mod post;
pub mod probe;
pub mod recurrence;
pub mod refresh;
pub mod role;
pub mod rule;
pub mod schedule;
pub mod series;
pub mod session;
pub mod term_base;
pub mod term_search;
pub mod terms;
pub mod text;
pub mod token;
pub mod translation;
pub mod unit;
pub mod upload;
pub mod variant;
pub mod waiting;
pub mod webhook;
pub mod weekend;
pub mod work;
pub mod yearly;

/// Makes an enum whose members are written as the same fixed words in the API and in the databases.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
        #[sqlx(type_name = "text")]
        pub enum $name {
            $($(#[$member_doc])* #[serde(rename = $word)] #[sqlx(rename = $word)] #[schema(rename = $word)] $member,)*
        }

        impl $name {
            /// Every member, in the order of the documents.
            pub const ALL: &'static [Self] = &[$(Self::$member),*];

            /// The fixed word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$member => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|member| member.as_str() == text)
                    .ok_or($crate::domain::UnknownWord { expected: &[$($word),*] })
            }
        }
    };
}
pub(crate) use words;

/// A word that is none of the fixed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {expected:?}")]
pub struct UnknownWord {
    /// The words there are.
    pub expected: &'static [&'static str],
}
