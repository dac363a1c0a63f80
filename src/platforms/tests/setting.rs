//! How the platforms of a test are set up: where each of them is, and nothing else.

use std::time::Duration;

use url::Url;

use super::{Settings, bluesky, facebook, mastodon, x};
use crate::config::{Films, Prices};

/// All of them at these addresses, in the order of the simulators.
pub(super) fn at(places: [Url; 4]) -> Settings {
    let [facebook, x, mastodon, bluesky] = places;
    let url = |text: &str| text.parse::<Url>().expect("url");
    Settings {
        facebook: facebook::Settings {
            video_url: facebook.clone(),
            upload_hosts: Vec::new(),
            two_steps: Vec::new(),
            graph_url: facebook,
            version: "v25.0".to_owned(),
            app_id: None,
            app_secret: None,
            dialog_url: url("https://www.facebook.com"),
            login_config_id: None,
        },
        x: x::Settings {
            api_url: x.clone(),
            web_url: x,
            client_id: None,
            client_secret: None,
            consumer_key: None,
            consumer_secret: None,
            authorize_url: url("https://x.com/i/oauth2/authorize"),
            prices: Prices { post: 15_000, post_with_link: 200_000, alt_text: 5_000, read: 5_000 },
            films: Films { max_bytes: 512_000_000, max_duration: Duration::from_secs(140) },
            long_posts: Vec::new(),
            long_post_max: 25_000,
        },
        mastodon: mastodon::Settings { servers: vec![mastodon], characters: 500 },
        bluesky: bluesky::Settings { service_url: Some(bluesky.clone()), web_url: bluesky },
    }
}

/// As they are in the world.
pub(super) fn public() -> Settings {
    let places = [
        "https://graph.facebook.com",
        "https://api.x.com",
        "https://social.example",
        "https://bsky.social",
    ];
    at(places.map(|place| place.parse().expect("url")))
}
