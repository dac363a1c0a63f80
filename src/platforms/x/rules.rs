//! The limits of X.

use crate::platforms::rules::{
    Counting, ImageRule, LinkRule, Rules, SameText, TextRule, VersionRule,
};

pub(super) fn rules() -> Rules {
    Rules {
        text: TextRule { counting: Counting::WeightedV3, max: 280, source: "" },
        link: LinkRule { separate_field: false, counts: Some(23), source: "" },
        images: ImageRule {
            max_count: 4,
            max_bytes: 5_000_000,
            mimes: &["image/jpeg", "image/png"],
            max_alt: 1_000,
            source: "",
        },
        rates: &[],
        version: VersionRule { current: "2".to_owned(), usable_until: None },
        scopes: &[],
        same_text_on_many_accounts: SameText::Discouraged,
    }
}
