//! How a server shows a text: paragraphs, breaks, and addresses in three spans.

use crate::simulator::escape;

/// The characters of an address that are shown.
const VISIBLE: usize = 30;

pub(super) fn page(text: &str) -> String {
    let unified = text.replace("\r\n", "\n");
    let mut out = String::new();
    for part in unified.split("\n\n").filter(|part| !part.is_empty()) {
        let lines: Vec<String> = part.split('\n').map(line).collect();
        out.push_str("<p>");
        out.push_str(&lines.join("<br />"));
        out.push_str("</p>");
    }
    out
}

fn line(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(' ') {
        let bare = word.trim_end();
        out.push_str(&shown(bare));
        out.push_str(word.get(bare.len()..).unwrap_or_default());
    }
    out
}

fn shown(word: &str) -> String {
    if word.len() > 1 && word.starts_with('@') {
        return mention(word);
    }
    if word.starts_with("https://") || word.starts_with("http://") {
        return link(word);
    }
    match word.strip_prefix('#') {
        Some(tag) if !tag.is_empty() => format!(
            "<a href=\"/tags/x\" class=\"mention hashtag\" rel=\"tag\">#<span>{}</span></a>",
            escape(tag)
        ),
        Some(_) | None => escape(word),
    }
}

/// A name on another server is shown without the server.
fn mention(word: &str) -> String {
    let name = word.get(1..).unwrap_or_default();
    let (name, rest) = match name.split_once('@') {
        Some((name, server)) => {
            let host = server.trim_end_matches([',', '.', '!', '?', ':', ';']);
            (name, server.get(host.len()..).unwrap_or_default())
        }
        None => (name, ""),
    };
    format!(
        "<span class=\"h-card\" translate=\"no\"><a href=\"/@x\" class=\"u-url mention\">@<span>{}</span></a></span>{}",
        escape(name),
        escape(rest)
    )
}

fn link(url: &str) -> String {
    let scheme = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(scheme);
    let (scheme, rest) = match rest.strip_prefix("www.") {
        Some(rest) => (format!("{scheme}www."), rest),
        None => (scheme.to_owned(), rest),
    };
    let cut = rest.char_indices().nth(VISIBLE).map_or(rest.len(), |(at, _)| at);
    let (shown, hidden) = rest.split_at(cut);
    let class = if hidden.is_empty() { "" } else { "ellipsis" };
    format!(
        "<a href=\"{0}\" target=\"_blank\" rel=\"nofollow noopener\" translate=\"no\"><span class=\"invisible\">{1}</span><span class=\"{class}\">{2}</span><span class=\"invisible\">{3}</span></a>",
        escape(url),
        escape(&scheme),
        escape(shown),
        escape(hidden)
    )
}
