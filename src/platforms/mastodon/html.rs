//! The text of a post, out of the HTML in which Mastodon shows it.
//!
//! A server sends paragraphs, line breaks, lists of a few signs and links alone (docs.joinmastodon.org,
//! activitypub, sanitization, read 2026-11-22), well formed; whatever else came would be dropped and
//! make a text unlike any that was sent.

/// Tags are dropped, ends of lines and paragraphs kept, entities read. An address is split over spans of
/// which some are hidden, and whole once they are joined.
pub(super) fn text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        rest = if from.starts_with('<') { tag(from, &mut out) } else { entity(from, &mut out) };
    }
    out.push_str(rest);
    out.trim().to_owned()
}

fn tag<'a>(from: &'a str, out: &mut String) -> &'a str {
    let Some((tag, rest)) = from.split_once('>') else {
        out.push_str(from);
        return "";
    };
    let name = tag.trim_start_matches('<').trim_end_matches('/');
    match name.split_whitespace().next().unwrap_or_default() {
        "br" => out.push('\n'),
        "/p" => out.push_str("\n\n"),
        _ => {}
    }
    rest
}

fn entity<'a>(from: &'a str, out: &mut String) -> &'a str {
    let end = from.find(';').filter(|end| *end <= 10);
    let name = end.and_then(|end| from.get(1..end));
    let Some((name, end)) = name.zip(end) else {
        out.push('&');
        return from.get(1..).unwrap_or_default();
    };
    let number = |digits: &str| match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    let read = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        other => other.strip_prefix('#').and_then(number).and_then(char::from_u32),
    };
    if let Some(c) = read {
        out.push(c);
        return from.get(end + 1..).unwrap_or_default();
    }
    out.push('&');
    from.get(1..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_the_text_that_was_written() {
        for (html, expected) in [
            ("<p>Xin chào</p>", "Xin chào"),
            ("<p>A<br />B<br>C</p><p>D</p>", "A\nB\nC\n\nD"),
            (
                "<p>1 &lt; 2 &amp;&amp; &quot;x&quot; &#39;y&#39; &#x1F1FB;</p>",
                "1 < 2 && \"x\" 'y' 🇻",
            ),
            ("<p>&amp;lt; stays</p>", "&lt; stays"),
            ("<p>AT&T; & more &unknown;</p>", "AT&T; & more &unknown;"),
            (
                "<p><a href=\"https://mofa.gov.vn/vi?a=1&amp;b=2\" rel=\"nofollow\"><span class=\"invisible\">https://</span><span class=\"ellipsis\">mofa.gov.vn/vi?a=1</span><span class=\"invisible\">&amp;b=2</span></a></p>",
                "https://mofa.gov.vn/vi?a=1&b=2",
            ),
            (
                "<p><span class=\"h-card\"><a href=\"https://s.example/@eu\" class=\"u-url mention\">@<span>eu</span></a></span> <a class=\"mention hashtag\" rel=\"tag\">#<span>Hanoi</span></a></p>",
                "@eu #Hanoi",
            ),
            ("broken <a", "broken <a"),
            ("", ""),
        ] {
            assert_eq!(text(html), expected, "{html}");
        }
    }
}
