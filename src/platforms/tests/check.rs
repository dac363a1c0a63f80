//! What is refused, what is warned about, and what passes.

use super::*;
use crate::platforms::{Platforms, setting};

fn rules(id: &str) -> Rules {
    let platforms = Platforms::new(setting::public());
    platforms.get(id).expect("platform").rules().clone()
}

fn text(text: &str) -> Draft<'_> {
    Draft { text, link: None, media: Vec::new() }
}

fn picture(alt: &str) -> DraftMedia<'_> {
    DraftMedia { kind: MediaKind::Image, alt, mime: "image/png", size_bytes: 1, moving: None }
}

/// Pointer, code and whether it is fatal.
fn found(draft: &Draft<'_>, rules: &Rules) -> Vec<(String, &'static str, bool)> {
    check(draft, rules).into_iter().map(|it| (it.pointer, it.code, it.fatal)).collect()
}

fn codes(draft: &Draft<'_>, rules: &Rules) -> Vec<&'static str> {
    check(draft, rules).into_iter().map(|it| it.code).collect()
}

#[test]
fn an_ordinary_post_passes_everywhere() {
    for id in ["facebook", "x", "mastodon", "bluesky"] {
        let draft = Draft {
            text: "Chúc mừng Quốc khánh Việt Nam 🇻🇳\n祝贺 تهانينا",
            link: Some("https://mofa.gov.vn/vi?x=1"),
            media: vec![picture("Lá cờ")],
        };
        assert_eq!(found(&draft, &rules(id)), [], "{id}");
    }
}

#[test]
fn nothing_at_all_is_no_post_but_a_link_or_a_picture_is() {
    let rules = rules("x");
    assert_eq!(found(&text(" \n"), &rules), [("/text".to_owned(), "text_empty", true)]);
    let link = Draft { link: Some("https://a.vn/"), ..text("") };
    assert_eq!(found(&link, &rules), []);
    let only_picture = Draft { media: vec![picture("A")], ..text("") };
    assert_eq!(found(&only_picture, &rules), []);
}

#[test]
fn a_length_is_counted_as_the_platform_counts() {
    let (on_x, on_facebook) = (rules("x"), rules("facebook"));
    let vietnamese = "ế".repeat(141);
    assert_eq!(codes(&text(&vietnamese), &on_x), ["text_too_long"]);
    assert_eq!(codes(&text(&"ế".repeat(140)), &on_x), [""; 0]);
    assert_eq!(codes(&text(&vietnamese), &on_facebook), [""; 0]);
    assert_eq!(codes(&text(&"a".repeat(63_207)), &on_facebook), ["text_too_long"]);
    assert_eq!(count("tiếng Việt", None, &on_x), 12);
    assert_eq!(count("tiếng Việt", None, &on_facebook), 10);
}

#[test]
fn a_link_counts_where_it_goes_into_the_text() {
    let (on_x, on_facebook) = (rules("x"), rules("facebook"));
    let link = Some("https://mofa.gov.vn/a/very/long/path/that/counts/as/twenty-three");
    assert_eq!(count("abc", link, &on_x), 27);
    assert_eq!(count("", link, &on_x), 23);
    assert_eq!(count("abc", link, &on_facebook), 3);
    let full = "a".repeat(257);
    assert_eq!(codes(&Draft { link, ..text(&full) }, &on_x), ["text_too_long"]);
    let nearly = "a".repeat(63_200);
    assert_eq!(codes(&Draft { link, ..text(&nearly) }, &on_facebook), [""; 0]);
    let with_picture = Draft { text: &nearly, link, media: vec![picture("A")] };
    assert_eq!(codes(&with_picture, &on_facebook), ["text_too_long"]);
}

#[test]
fn a_link_that_ends_near_the_limit_is_doubtful() {
    let nearly = format!("{} mofa.gov.vn", "a".repeat(250));
    assert_eq!(
        found(&text(&nearly), &rules("x")),
        [("/text".to_owned(), "text_near_limit", false)]
    );
}

#[test]
fn only_whole_web_addresses_are_links() {
    let rules = rules("facebook");
    for bad in [
        "mofa.gov.vn",
        "/tin",
        "ftp://a.vn/",
        "javascript:alert(1)",
        "https://",
        "https://a.vn/ b",
        "https://a.vn/\n",
        "",
        "mailto:a@b.vn",
    ] {
        assert_eq!(
            codes(&Draft { link: Some(bad), ..text("A") }, &rules),
            ["link_invalid"],
            "{bad:?}"
        );
    }
    let long = format!("https://a.vn/{}", "a".repeat(2_048));
    assert_eq!(codes(&Draft { link: Some(&long), ..text("A") }, &rules), ["link_too_long"]);
    let secret = Draft { link: Some("https://me:pw@a.vn/"), ..text("A") };
    assert_eq!(codes(&secret, &rules), ["link_with_credentials"]);
}

#[test]
fn control_characters_and_open_direction_marks_are_refused() {
    let rules = rules("x");
    assert_eq!(codes(&text("a\u{0}b"), &rules), ["text_control_character"]);
    assert_eq!(codes(&text("a\u{1b}[31m"), &rules), ["text_control_character"]);
    assert_eq!(codes(&text("a\tb\r\nc"), &rules), [""; 0]);
    assert_eq!(
        codes(&text("a\u{202e}b"), &rules),
        ["text_direction_unbalanced", "text_hidden_character"]
    );
    assert_eq!(codes(&text("a\u{2067}b\nc\u{2069}"), &rules), ["text_direction_unbalanced"]);
    assert_eq!(codes(&text("a\u{2067}b\u{202a}c\u{202c}\u{2069}"), &rules), [""; 0]);
    // Marks without an end are everyday signs in Arabic and Persian.
    assert_eq!(codes(&text("می\u{200c}خواهم \u{200f}!"), &rules), [""; 0]);
}

#[test]
fn every_fault_of_every_picture_is_told_at_once() {
    let long = "a".repeat(1_001);
    let media = vec![
        DraftMedia { kind: MediaKind::Video, ..picture("") },
        picture(&long),
        picture("a\u{7}"),
        picture("A"),
        picture("A"),
    ];
    let draft = Draft { media, ..text("A") };
    assert_eq!(
        found(&draft, &rules("x")),
        [
            ("/media".to_owned(), "media_too_many", true),
            ("/media".to_owned(), "media_mixed", true),
            ("/media/0".to_owned(), "moving_type", true),
            ("/media/0/alt".to_owned(), "alt_missing", false),
            ("/media/1/alt".to_owned(), "alt_too_long", true),
            ("/media/2/alt".to_owned(), "alt_control_character", true),
        ]
    );
}

#[test]
fn moving_pictures_are_held_against_their_own_limits() {
    let x = rules("x");
    let facts = |width, height, duration_ms| MovingFacts {
        width: Some(width),
        height: Some(height),
        duration_ms: Some(duration_ms),
    };
    let film = DraftMedia {
        kind: MediaKind::Video,
        mime: "video/mp4",
        moving: Some(facts(1_920, 1_080, 140_000)),
        size_bytes: 512_000_000,
        ..picture("A")
    };
    let only = |media: DraftMedia<'static>| Draft { media: vec![media], ..text("A") };
    assert_eq!(codes(&only(film), &x), [""; 0]);
    assert_eq!(codes(&only(DraftMedia { moving: None, ..film }), &x), [""; 0], "not known");
    for (facts, code) in [
        (facts(1_920, 1_080, 140_001), "moving_too_long"),
        (facts(1_920, 1_080, 499), "moving_too_short"),
        (facts(3_001, 1_000, 5_000), "moving_shape"),
        (facts(1_000, 3_001, 5_000), "moving_shape"),
    ] {
        assert_eq!(codes(&only(DraftMedia { moving: Some(facts), ..film }), &x), [code]);
    }
    let larger = DraftMedia { size_bytes: 512_000_001, ..film };
    assert_eq!(codes(&only(larger), &x), ["moving_too_large"]);
    let gif = DraftMedia {
        kind: MediaKind::Animation,
        mime: "image/gif",
        size_bytes: 15_000_000,
        moving: Some(MovingFacts { width: Some(1_280), height: Some(1_080), duration_ms: None }),
        ..picture("A")
    };
    assert_eq!(codes(&only(gif), &x), [""; 0]);
    let wide = MovingFacts { width: Some(1_281), height: Some(10), duration_ms: None };
    assert_eq!(codes(&only(DraftMedia { moving: Some(wide), ..gif }), &x), ["moving_shape"]);
    assert_eq!(codes(&only(DraftMedia { mime: "image/webp", ..gif }), &x), ["moving_type"]);
    let mixed = Draft { media: vec![film, picture("A")], ..text("A") };
    assert_eq!(codes(&mixed, &x), ["media_mixed"]);
    for elsewhere in ["mastodon", "bluesky"] {
        assert_eq!(codes(&only(film), &rules(elsewhere)), ["media_kind"], "{elsewhere}");
    }
}

#[test]
fn two_cashtags_are_warned_about_where_they_are_limited() {
    let two = text("$VNM, $VIC.");
    assert_eq!(found(&two, &rules("x")), [("/text".to_owned(), "cashtags_too_many", false)]);
    assert_eq!(found(&two, &rules("facebook")), []);
    assert_eq!(found(&text("$VNM costs $100 and a$b"), &rules("x")), []);
}

#[test]
fn what_readers_do_not_see_is_refused_where_it_can_mislead() {
    let rules = rules("facebook");
    let hidden = Draft { media: vec![picture("a\u{200b}b")], ..text("Viet\u{200b}nam\u{200b}x") };
    assert_eq!(
        found(&hidden, &rules),
        [
            ("/text".to_owned(), "text_hidden_character", true),
            ("/media/0/alt".to_owned(), "text_hidden_character", true),
        ]
    );
    let first = check(&hidden, &rules).into_iter().next().expect("found");
    let args: Vec<(&str, &str)> =
        first.args.iter().map(|(name, it)| (*name, it.as_str())).collect();
    assert_eq!(
        args,
        [("code_point", "U+200B"), ("kind", "invisible"), ("count", "2"), ("at", "5")]
    );
    assert_eq!(
        found(&text("Đối\u{ad}ngoại"), &rules),
        [("/text".to_owned(), "text_odd_character", false)]
    );
    assert_eq!(
        codes(&text("ភាសា\u{200b}ខ្មែរ, \u{2067}עברית\u{2069} 👨\u{200d}👧"), &rules),
        [""; 0]
    );
}

#[test]
fn addresses_that_look_like_others_are_refused_wherever_they_stand() {
    let rules = rules("facebook");
    for said in [
        "Xem https://www.mоfa.gov.vn/tin", // о of Cyrillic
        "Xem mоfa.gov.vn ngay",
        "Xem https://xn--80ak6aa92e.com/",
    ] {
        assert_eq!(codes(&text(said), &rules), ["link_disguised"], "{said}");
    }
    let link = Draft { link: Some("https://xn--80ak6aa92e.com/"), ..text("A") };
    assert_eq!(found(&link, &rules), [("/link".to_owned(), "link_disguised", true)]);
    let hidden = "https://mofa.gov.vn@evil.example/ và https://a.vn/b@c";
    assert_eq!(codes(&text(hidden), &rules), ["link_with_credentials"]);
    assert_eq!(codes(&text("https://a.vn/b@c và thư an@mofa.gov.vn"), &rules), [""; 0]);
    assert_eq!(codes(&text("https://münchen.de và https://日本語.jp"), &rules), [""; 0]);
}

#[test]
fn letters_that_are_not_what_they_seem_are_warned_about() {
    let rules = rules("facebook");
    assert_eq!(
        found(&text("Bộ Ngоại giao"), &rules),
        [("/text".to_owned(), "text_mixed_scripts", false)]
    );
    assert_eq!(
        found(&text("𝗩𝗶𝗲𝘁 𝗡𝗮𝗺"), &rules),
        [("/text".to_owned(), "text_drawn_letters", false)]
    );
}

#[test]
fn signs_and_bytes_are_counted_where_they_are_limited() {
    let (on_mastodon, on_bluesky) = (rules("mastodon"), rules("bluesky"));
    let link = Some("https://mofa.gov.vn/a/very/long/path/that/counts/as/twenty-three");
    assert_eq!(count("tiếng Việt 🇻🇳", link, &on_mastodon), 36);
    assert_eq!(count("tiếng Việt 🇻🇳", link, &on_bluesky), 12);
    assert_eq!(codes(&text(&"ế".repeat(301)), &on_bluesky), ["text_too_long"]);
    assert_eq!(codes(&text(&"ế".repeat(300)), &on_bluesky), [""; 0]);
    assert_eq!(codes(&text(&"👨‍👩‍👧‍👦".repeat(121)), &on_bluesky), ["text_too_many_bytes"]);
    assert_eq!(codes(&text(&"👨‍👩‍👧‍👦".repeat(121)), &on_mastodon), [""; 0]);
    let beside = Draft { text: &"a".repeat(290), link, media: vec![picture("A")] };
    assert_eq!(codes(&beside, &on_bluesky), ["text_too_long"], "a link beside pictures is text");
}
