//! One id type per noun: opaque text with a readable prefix, sortable by the time it was made.
//!
//! An id is made from the clock and randomness that the caller hands in, never from the system.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// Text that is not an id of the wanted noun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id that begins with {prefix}")]
pub struct NotAnId {
    /// The prefix that was expected, with its underscore.
    pub prefix: &'static str,
}

/// Writes 48 bits of milliseconds and 80 random bits as 32 hexadecimal digits, so that the text
/// sorts by time.
fn body(at: Timestamp, random: u128) -> String {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff;
    format!("{millis:012x}{:020x}", random & ((1 << 80) - 1))
}

macro_rules! ids {
    ($(#[doc = $doc:literal] $name:ident = $prefix:literal;)*) => {$(
        #[doc = $doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(String);

        // By hand: the derive takes no pattern that is put together.
        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($doc.trim()))
                    .pattern(Some(concat!("^", $prefix, "[0-9a-f]{32}$")))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }

        impl $name {
            /// What every id of this noun begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, made at `at`; `random` must be fresh.
            pub fn new(at: Timestamp, random: u128) -> Self {
                Self(format!("{}{}", $prefix, body(at, random)))
            }

            /// Takes the text for an id when it has the right form.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                let well_formed = text.strip_prefix($prefix).is_some_and(|rest| {
                    rest.len() == 32 && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                });
                if well_formed { Ok(Self(text.to_owned())) } else { Err(NotAnId { prefix: $prefix }) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// When it was made, to the millisecond; the beginning of 1970 for an id of an odd form.
            pub fn made_at(&self) -> Timestamp {
                let digits = self.0.strip_prefix($prefix).and_then(|body| body.get(..12));
                digits
                    .and_then(|digits| i64::from_str_radix(digits, 16).ok())
                    .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                    .unwrap_or(Timestamp::UNIX_EPOCH)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Self::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// Something in the calendar besides deliveries.
    EventId = "evt_";
    /// What is said together over a time.
    CampaignId = "camp_";
    /// A post that is offered to other units.
    KitId = "kit_";
    /// What one unit is offered.
    OfferId = "offer_";
    /// A note of a person on a post.
    CommentId = "cmt_";
    /// What something is officially called.
    TermEntryId = "term_";
    /// Everything that came out of one table.
    ImportId = "imp_";
    /// When accounts may not speak.
    RuleId = "rule_";
    /// A secret address of the calendar.
    FeedId = "feed_";
    /// A ministry department or mission.
    UnitId = "unit_";
    /// One page or profile on one platform.
    AccountId = "acct_";
    /// One thing to say.
    PostId = "post_";
    /// One variant of a post in one language.
    VariantId = "var_";
    /// A person's yes or no to a post.
    ApprovalId = "appr_";
    /// One variant to one account at one time.
    DeliveryId = "dlv_";
    /// One try of a delivery.
    AttemptId = "att_";
    /// One stored file.
    MediaId = "med_";
    /// A file that comes in piece by piece.
    UploadId = "upl_";
    /// A person who may sign in.
    PersonId = "usr_";
    /// An API token.
    TokenId = "tok_";
    /// Somebody signed in at one screen.
    SessionId = "ses_";
    /// A pause with a scope.
    HoldId = "hold_";
    /// A piece of durable work.
    JobId = "job_";
    /// One running process.
    NodeId = "node_";
    /// A sign-in that connects accounts.
    ConnectionId = "con_";
    /// What is told of one thing that happened; the same however often it is sent.
    MessageId = "msg_";
    /// A message in one person's inbox.
    NotificationId = "ntf_";
    /// A message on its way into one person's mail.
    MailItemId = "mail_";
    /// An address of another program that is told what happens.
    WebhookId = "whk_";
    /// One try to tell a webhook.
    WebhookTryId = "wht_";
    /// A post that goes out again and again by a rule.
    SeriesId = "ser_";
    /// Names a post that did not come from here.
    ForeignPostId = "fps_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_a_round_trip() {
        let early = PostId::new("2026-01-01T00:00:00Z".parse().unwrap(), u128::MAX);
        let late = PostId::new("2026-01-01T00:00:00.001Z".parse().unwrap(), 0);
        assert!(early < late);
        assert_eq!(PostId::parse(early.as_str()), Ok(early.clone()));
        assert_eq!(serde_json::from_str::<PostId>(&format!("\"{early}\"")).unwrap(), early);
    }

    #[test]
    fn another_nouns_id_is_refused() {
        let post = PostId::new(Timestamp::UNIX_EPOCH, 7);
        assert_eq!(UnitId::parse(post.as_str()), Err(NotAnId { prefix: "unit_" }));
        assert!(UnitId::parse("unit_../../etc").is_err());
        assert!(UnitId::parse("unit_ABCDEF00000000000000000000000000").is_err());
    }
}
