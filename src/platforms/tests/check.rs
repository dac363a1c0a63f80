//! What is refused, what is warned about, and what passes.

use super::*;
use crate::platforms::{Platforms, Settings, facebook, x};

fn rules(id: &str) -> Rules {
    let url = |text: &str| text.parse::<Url>().expect("url");
    let platforms = Platforms::new(Settings {
        facebook: facebook::Settings {
            graph_url: url("https://graph.facebook.com"),
            version: "v25.0".to_owned(),
            app_id: None,
            app_secret: None,
            dialog_url: "https://www.facebook.com".parse().expect("url"),
            login_config_id: None,
        },
        x: x::Settings {
            api_url: url("https://api.x.com"),
            web_url: url("https://x.com"),
            client_id: None,
            client_secret: None,
            authorize_url: "https://x.com/i/oauth2/authorize".parse().expect("url"),
            prices: crate::config::Prices {
                post: 15_000,
                post_with_link: 200_000,
                alt_text: 5_000,
                read: 5_000,
            },
        },
    });
    platforms.get(id).expect("platform").rules().clone()
}

fn text(text: &str) -> Draft<'_> {
    Draft { text, link: None, media: Vec::new() }
}

fn picture(alt: &str) -> DraftMedia<'_> {
    DraftMedia { mime: "image/jpeg", size_bytes: 1_000, alt }
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
    for id in ["facebook", "x"] {
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
    assert_eq!(codes(&text("a\u{202e}b"), &rules), ["text_direction_unbalanced"]);
    assert_eq!(codes(&text("a\u{2067}b\nc\u{2069}"), &rules), ["text_direction_unbalanced"]);
    assert_eq!(codes(&text("a\u{2067}b\u{202a}c\u{202c}\u{2069}"), &rules), [""; 0]);
    // Marks without an end are everyday signs in Arabic and Persian.
    assert_eq!(codes(&text("می\u{200c}خواهم \u{200f}!"), &rules), [""; 0]);
}

#[test]
fn every_fault_of_every_picture_is_told_at_once() {
    let long = "a".repeat(1_001);
    let media = vec![
        DraftMedia { mime: "image/tiff", size_bytes: 5_000_001, alt: "" },
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
            ("/media/0".to_owned(), "media_type", true),
            ("/media/0".to_owned(), "media_too_large", true),
            ("/media/0/alt".to_owned(), "alt_missing", false),
            ("/media/1/alt".to_owned(), "alt_too_long", true),
            ("/media/2/alt".to_owned(), "alt_control_character", true),
        ]
    );
}

#[test]
fn two_cashtags_are_warned_about_where_they_are_limited() {
    let two = text("$VNM, $VIC.");
    assert_eq!(found(&two, &rules("x")), [("/text".to_owned(), "cashtags_too_many", false)]);
    assert_eq!(found(&two, &rules("facebook")), []);
    assert_eq!(found(&text("$VNM costs $100 and a$b"), &rules("x")), []);
}
