//! A post as a record: how it is made, and how it is read (lexicons `app.bsky.feed.post`,
//! `app.bsky.embed.images` and `app.bsky.embed.external`, read 2026-11-22).

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use super::post_settings::PostSettings;
use super::{Settings, facets, key};
use crate::domain::attempt::Receipt;
use crate::platforms::matching::{Listed, with_link};
use crate::platforms::session::Item;
use crate::platforms::settings;
use crate::platforms::wire::{Unsendable, address, text_at};

/// The kind of record that a post is.
pub(super) const POST: &str = "app.bsky.feed.post";

/// A picture that the server has: what it calls it, its alternative text, its size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    pub(super) blob: Value,
    pub(super) alt: String,
    pub(super) size: Option<(u32, u32)>,
}

/// The record of an item.
pub(super) fn record(
    item: &Item,
    pictures: &[Picture],
    now: Timestamp,
) -> Result<Value, Unsendable> {
    let set: PostSettings = settings::read(&item.settings)?;
    let text = text_of(&item.text, item.link.as_deref(), pictures.len());
    let mut body = Map::new();
    body.insert("$type".to_owned(), POST.into());
    body.insert("createdAt".to_owned(), now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string().into());
    if !item.language.is_empty() {
        body.insert("langs".to_owned(), json!([item.language]));
    }
    let facets = facets::facets(&text);
    if !facets.is_empty() {
        body.insert("facets".to_owned(), facets.into());
    }
    if !pictures.is_empty() {
        let images: Vec<Value> = pictures.iter().map(image).collect();
        let embed = json!({ "$type": "app.bsky.embed.images", "images": images });
        body.insert("embed".to_owned(), embed);
    } else if let Some(link) = &item.link {
        let external = json!({
            "uri": link,
            "title": set.card_title.unwrap_or_else(|| bare(link)),
            "description": set.card_description.unwrap_or_default(),
        });
        let embed = json!({ "$type": "app.bsky.embed.external", "external": external });
        body.insert("embed".to_owned(), embed);
    }
    body.insert("text".to_owned(), text.into());
    Ok(Value::Object(body))
}

/// A link has a card of its own, and beside pictures no room for one.
pub(super) fn text_of(text: &str, link: Option<&str>, pictures: usize) -> String {
    with_link(text, link.filter(|_| pictures > 0))
}

fn image(picture: &Picture) -> Value {
    let mut image = Map::new();
    image.insert("image".to_owned(), picture.blob.clone());
    image.insert("alt".to_owned(), picture.alt.as_str().into());
    if let Some((width, height)) = picture.size.filter(|(width, height)| *width > 0 && *height > 0)
    {
        image.insert("aspectRatio".to_owned(), json!({ "width": width, "height": height }));
    }
    Value::Object(image)
}

fn bare(link: &str) -> String {
    link.split_once("://").map_or(link, |(_, rest)| rest).trim_end_matches('/').to_owned()
}

/// A record as it is shown: under which key, and what it says.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) key: String,
    pub(super) shown: Listed,
    /// The address of its card.
    pub(super) link: Option<String>,
}

/// A post out of `{uri, value}`; `None` when it is none of this account.
pub(super) fn kept(settings: &Settings, account: &str, entry: &Value) -> Option<Kept> {
    let uri = text_at(entry, "uri")?;
    let key = uri.strip_prefix("at://")?.strip_prefix(account)?.strip_prefix('/')?;
    let key = key.strip_prefix(POST)?.strip_prefix('/').filter(|key| key::is_key(key))?;
    let value = entry.get("value")?;
    let text = text_at(value, "text")?;
    let said = text_at(value, "createdAt").and_then(|at| at.parse::<Timestamp>().ok());
    let published_at = said.or_else(|| key::made_at(key))?;
    let embed = value.get("embed");
    let images = embed.and_then(|embed| {
        embed.pointer("/images").or_else(|| embed.pointer("/media/images"))?.as_array()
    });
    let link = embed.and_then(|embed| embed.pointer("/external/uri")?.as_str());
    let receipt = Receipt {
        remote_id: key.to_owned(),
        permalink: permalink(settings, account, key),
        published_at,
    };
    let shown = Listed { receipt, text, media: images.map_or(0, Vec::len) };
    Some(Kept { key: key.to_owned(), shown, link: link.map(str::to_owned) })
}

/// The address of a post for people. By the account's id, since a handle can change.
pub(super) fn permalink(settings: &Settings, account: &str, key: &str) -> Option<String> {
    let segments = ["profile", account, "post", key];
    let url: Result<Url, Unsendable> = address(&settings.web_url, &segments);
    url.ok().map(|url| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::DeliveryId;

    fn now() -> Timestamp {
        "2026-11-22T10:00:00.5Z".parse().expect("instant")
    }

    fn item(link: Option<&str>, settings: Value) -> Item {
        Item {
            delivery: DeliveryId::new(now(), 1),
            text: "Xin chào".to_owned(),
            language: "vi".to_owned(),
            link: link.map(str::to_owned),
            media: Vec::new(),
            settings,
            under: None,
            ledger: crate::platforms::notes::Notes::open(),
        }
    }

    #[test]
    fn a_link_is_a_card_and_beside_pictures_a_part_of_the_text() {
        let link = Some("https://mofa.gov.vn/vi/");
        let made = record(&item(link, Value::Null), &[], now()).expect("record");
        assert_eq!(
            made,
            json!({
                "$type": "app.bsky.feed.post", "text": "Xin chào", "langs": ["vi"],
                "createdAt": "2026-11-22T10:00:00.500Z",
                "embed": {"$type": "app.bsky.embed.external", "external": {
                    "uri": "https://mofa.gov.vn/vi/", "title": "mofa.gov.vn/vi", "description": "",
                }},
            })
        );
        let set = json!({"card_title": "Bộ Ngoại giao", "card_description": "Tin"});
        let made = record(&item(link, set), &[], now()).expect("record");
        assert_eq!(made["embed"]["external"]["title"], "Bộ Ngoại giao");
        assert_eq!(made["embed"]["external"]["description"], "Tin");
        let blob =
            json!({"$type": "blob", "ref": {"$link": "bafk"}, "mimeType": "image/png", "size": 9});
        let picture =
            Picture { blob: blob.clone(), alt: "Lá cờ".to_owned(), size: Some((3, 2)) };
        let made = record(&item(link, Value::Null), &[picture], now()).expect("record");
        assert_eq!(made["text"], "Xin chào\nhttps://mofa.gov.vn/vi/");
        let image =
            json!({"image": blob, "alt": "Lá cờ", "aspectRatio": {"width": 3, "height": 2}});
        assert_eq!(made["embed"], json!({"$type": "app.bsky.embed.images", "images": [image]}));
        assert_eq!(made["facets"][0]["index"], json!({"byteStart": 10, "byteEnd": 33}));
    }

    #[test]
    fn only_posts_of_the_account_are_read() {
        let settings =
            Settings { service_url: None, web_url: "https://bsky.app".parse().expect("url") };
        let entry = |uri: &str| {
            let value = json!({"text": "A", "createdAt": "2026-11-22T10:00:00Z", "embed":
                {"$type": "app.bsky.embed.recordWithMedia", "media": {"images": [{}, {}]}}});
            json!({"uri": uri, "cid": "bafy", "value": value})
        };
        let read = |uri: &str| kept(&settings, "did:plc:abc", &entry(uri));
        let post = read("at://did:plc:abc/app.bsky.feed.post/3jzfcijpj2z2a").expect("a post");
        assert_eq!((post.key.as_str(), post.shown.media), ("3jzfcijpj2z2a", 2));
        let link = "https://bsky.app/profile/did:plc:abc/post/3jzfcijpj2z2a";
        assert_eq!(post.shown.receipt.permalink.as_deref(), Some(link));
        for other in [
            "at://did:plc:abd/app.bsky.feed.post/3jzfcijpj2z2a",
            "at://did:plc:abc/app.bsky.feed.like/3jzfcijpj2z2a",
            "at://did:plc:abc/app.bsky.feed.post/",
            "https://did:plc:abc/app.bsky.feed.post/a",
        ] {
            assert!(read(other).is_none(), "{other}");
        }
    }
}
