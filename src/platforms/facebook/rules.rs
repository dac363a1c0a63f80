//! The limits of Facebook.

use crate::platforms::rules::{
    Counting, ImageRule, LinkRule, Rules, SameText, TextRule, VersionRule,
};

pub(super) fn rules(version: &str) -> Rules {
    let _ = Counting::WeightedV3;
    Rules {
        text: TextRule { counting: Counting::CodePoints, max: 63_206, source: "" },
        link: LinkRule { separate_field: true, counts: None, source: "" },
        images: ImageRule {
            max_count: 10,
            max_bytes: 4_000_000,
            mimes: &["image/jpeg", "image/png"],
            max_alt: 1_000,
            source: "",
        },
        rates: &[],
        version: VersionRule { current: version.to_owned(), usable_until: None },
        scopes: &[],
        same_text_on_many_accounts: SameText::Allowed,
    }
}
