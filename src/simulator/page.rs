//! What people see of the simulators in a browser: accounts, recent posts, one post.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::account::Account;
use super::call::Reply;
use super::records::{Platform, PostRecord};
use super::world::World;

const RECENT: usize = 10;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;\
    padding:0 1rem;color:#1b1b1b;background:#f6f6f4}article{background:#fff;border:1px solid #ddd;\
    border-radius:.5rem;padding:.75rem 1rem;margin:.75rem 0}p{white-space:pre-wrap;\
    overflow-wrap:anywhere}img{max-width:100%}small{color:#555}h2{margin:2rem 0 0;font-size:1.1rem}";

/// All accounts with their newest posts.
pub(crate) fn accounts_page(world: &World, platform: Platform) -> Reply {
    let now = world.now();
    let mut body = String::new();
    for account in world.accounts(platform) {
        let profile = &account.profile;
        let state = account.lock();
        let public: Vec<_> = state.posts(now).rev().filter(|post| post.is_public(now)).collect();
        section(&mut body, &profile.name, &handle(platform, &account), public.len());
        for post in public.iter().take(RECENT) {
            article(&mut body, world, platform, &account, post, true);
        }
    }
    document(200, &format!("Simulated {}", title(platform)), &body)
}

/// One post, or a page that says that there is none.
pub(crate) fn post_page(world: &World, platform: Platform, account: &Account, id: &str) -> Reply {
    let now = world.now();
    let state = account.lock();
    let Some(post) =
        state.post(id, now).map(|post| &post.record).filter(|post| post.is_public(now))
    else {
        return missing_page();
    };
    let mut body = String::new();
    section(&mut body, &account.profile.name, &handle(platform, account), state.made());
    article(&mut body, world, platform, account, post, false);
    body.push_str("<p><a href=\"/\">All accounts</a></p>");
    document(200, &format!("Simulated {}", title(platform)), &body)
}

/// The bytes of a picture.
pub(crate) fn media_file(account: &Account, id: &str) -> Reply {
    let state = account.lock();
    let Some(media) = state.media.get(id).filter(|media| !media.bytes.is_empty()) else {
        return missing_page();
    };
    let kind = match media.photo.media_type.as_str() {
        "image/jpeg" => "image/jpeg",
        "image/png" => "image/png",
        "image/gif" => "image/gif",
        "image/webp" => "image/webp",
        "video/mp4" => "video/mp4",
        "video/quicktime" => "video/quicktime",
        _ => "application/octet-stream",
    };
    let mut reply = Reply::html(200, String::new()).with_body(media.bytes.clone());
    reply.content_type = kind;
    safe(reply)
}

/// Something to be chosen in a form of consent.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
}

/// The form in which a person lets an application act for him, or not. What the application sent
/// comes back with it.
pub(crate) fn consent_page(
    platform: Platform,
    sent: &[(String, String)],
    people: &[Choice],
    scopes: &[Choice],
) -> Reply {
    let mut body = String::from("<form method=\"get\">");
    for (name, value) in sent {
        let (name, value) = (escape(name), escape(value));
        let _always = write!(body, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
    }
    body.push_str("<fieldset><legend>Who are you?</legend>");
    for (number, one) in people.iter().enumerate() {
        let (value, label) = (escape(&one.value), escape(&one.label));
        let checked = if number == 0 { " checked" } else { "" };
        let _always = write!(
            body,
            "<p><label><input type=\"radio\" name=\"sim_user\" value=\"{value}\"{checked}> {label}\
             </label></p>"
        );
    }
    body.push_str("</fieldset><fieldset><legend>What may the application do?</legend>");
    body.push_str("<input type=\"hidden\" name=\"sim_form\" value=\"1\">");
    for one in scopes {
        let (value, label) = (escape(&one.value), escape(&one.label));
        let _always = write!(
            body,
            "<p><label><input type=\"checkbox\" name=\"sim_allow\" value=\"{value}\" checked> \
             {label}</label></p>"
        );
    }
    body.push_str(
        "</fieldset><p><button>Allow</button> <button name=\"sim_refuse\" value=\"1\">Refuse</button>\
         </p></form>",
    );
    document(200, &format!("Simulated {}: sign in", title(platform)), &body)
}

/// The platform's own page for a request that it does not even ask people about.
pub(crate) fn refusal_page(platform: Platform, why: &str) -> Reply {
    let body = format!("<p>{}</p>", escape(why));
    document(400, &format!("Simulated {}: something went wrong", title(platform)), &body)
}

/// The page for what is not there.
pub(crate) fn missing_page() -> Reply {
    document(404, "Not here", "<p>There is no such post. <a href=\"/\">All accounts</a></p>")
}

fn title(platform: Platform) -> &'static str {
    match platform {
        Platform::Facebook => "Facebook",
        Platform::X => "X",
        Platform::Mastodon => "Mastodon",
        Platform::Bluesky => "Bluesky",
    }
}

fn handle(platform: Platform, account: &Account) -> String {
    match platform {
        Platform::Facebook => account.profile.id.clone(),
        Platform::X | Platform::Mastodon | Platform::Bluesky => {
            format!("@{}", account.profile.username)
        }
    }
}

fn address(platform: Platform, account: &Account, post: &PostRecord) -> String {
    match platform {
        Platform::Facebook => format!("/{}", post.id),
        Platform::X => format!("/{}/status/{}", account.profile.username, post.id),
        Platform::Mastodon => format!("/@{}/{}", account.profile.username, post.id),
        Platform::Bluesky => format!("/profile/{}/post/{}", account.profile.id, post.id),
    }
}

fn section(body: &mut String, name: &str, handle: &str, posts: usize) {
    let (name, handle) = (escape(name), escape(handle));
    let counted = if posts == 1 { "1 post".to_owned() } else { format!("{posts} posts") };
    // Writing to a String cannot fail; the same holds below.
    let _always =
        write!(body, "<h2 dir=\"auto\">{name}</h2><small dir=\"ltr\">{handle} · {counted}</small>");
}

fn article(
    body: &mut String,
    world: &World,
    platform: Platform,
    account: &Account,
    post: &PostRecord,
    linked: bool,
) {
    let _always = write!(body, "<article><p dir=\"auto\">{}</p>", escape(&post.text));
    if let Some(link) = &post.link {
        let link = escape(link);
        let _always = write!(body, "<p><a rel=\"nofollow\" href=\"{link}\">{link}</a></p>");
    }
    for photo in &post.photos {
        let alt = escape(photo.alt_text.as_deref().unwrap_or_default());
        let source = format!("/media/{}/{}", escape(&account.profile.id), escape(&photo.id));
        if photo.media_type.starts_with("video/") {
            let _always = write!(
                body,
                "<figure><video controls src=\"{source}\" title=\"{alt}\"></video></figure>"
            );
            continue;
        }
        let _always = write!(
            body,
            "<figure><img src=\"{source}\" alt=\"{alt}\"><figcaption dir=\"auto\"><small>{alt}\
             </small></figcaption></figure>"
        );
    }
    let when = escape(&time(post.created_at, world.now()));
    if linked {
        let address = escape(&address(platform, account, post));
        let _always = write!(body, "<small><a href=\"{address}\">{when}</a></small></article>");
    } else {
        let _always = write!(body, "<small>{when}</small></article>");
    }
}

fn time(at: Timestamp, now: Timestamp) -> String {
    let seconds = crate::clock::until(at, now).as_secs();
    format!("{} UTC, {seconds} s ago", at.strftime("%Y-%m-%d %H:%M:%S"))
}

fn document(status: u16, title: &str, body: &str) -> Reply {
    let title = escape(title);
    safe(Reply::html(
        status,
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
             <body><h1>{title}</h1>{body}</body></html>"
        ),
    ))
}

fn safe(reply: Reply) -> Reply {
    reply
        .with_header(
            "content-security-policy",
            "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
        )
        .with_header("x-content-type-options", "nosniff")
}

/// Makes text harmless inside HTML, in attributes too.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
