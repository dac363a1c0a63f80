//! Reads a Rust file as far as the rules need it: its code without comments, texts and tests, and
//! the paths that it names.

use std::path::{Path, PathBuf};

/// One file of the source tree.
pub(crate) struct Source {
    /// Its path from the top of the repository, with `/`.
    pub(crate) path: String,
    /// As it stands on disk.
    pub(crate) text: String,
    /// Its shipped code: texts kept, comments and test modules blanked.
    pub(crate) code: String,
    /// The tokens of that code, texts left out.
    pub(crate) tokens: Vec<Token>,
}

/// An identifier or a sign, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// `::` is one sign; every other sign is one character.
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// A path such as `crate::store::posts`, with what it resolves to from the top of the crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The segments after `crate`.
    pub(crate) segments: Vec<String>,
    /// Where it is written.
    pub(crate) line: usize,
}

impl Source {
    /// Takes a file apart.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let stem = path.rsplit('/').next().unwrap_or(path);
        let is_test = stem == "tests.rs" || path.contains("/tests/");
        let uncommented = blank(text, false);
        let code = if is_test { String::new() } else { without_test_modules(&uncommented) };
        let tokens = tokens(&blank(&code, true));
        Self { path: path.to_owned(), text: text.to_owned(), code, tokens }
    }

    /// Every `.rs` file below `folder`, leaving out the web desk.
    pub(crate) fn all_below(folder: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        let mut open = vec![root.join(folder)];
        while let Some(dir) = open.pop() {
            for path in entries(&dir) {
                if path.is_dir() && !path.ends_with("ui/app") {
                    open.push(path);
                } else if path.extension().is_some_and(|it| it == "rs") {
                    let text = std::fs::read_to_string(&path).expect("a source file is readable");
                    let name = path.strip_prefix(root).expect("it lies below the root");
                    found.push(Self::new(&name.to_string_lossy().replace('\\', "/"), &text));
                }
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    /// The module that this file is, from the top of the crate: `src/store/db.rs` is `store, db`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let mut parts: Vec<&str> = inner.strip_suffix(".rs").unwrap_or(inner).split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
            parts.pop();
        }
        parts
    }

    /// The folder below `src/`, or the single file's name; empty for the roots.
    pub(crate) fn folder(&self) -> &str {
        self.module().first().copied().unwrap_or_default()
    }

    /// Every path into our own crate that the shipped code names, in `use` lines and elsewhere.
    pub(crate) fn named(&self) -> Vec<Named> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            let after_path = at > 0 && self.token(at - 1) == "::";
            let base = match token.text.as_str() {
                "crate" | "super" if !after_path => self.base(&mut at),
                _ => None,
            };
            match base {
                Some(base) => at = self.tree(at, &base, &mut found),
                None => at += 1,
            }
        }
        found
    }

    /// Skips `crate` or a row of `super`, and gives the module that the path begins at.
    fn base(&self, at: &mut usize) -> Option<Vec<String>> {
        let mut base: Vec<String> = Vec::new();
        if self.token(*at) == "super" {
            base = self.module().into_iter().map(str::to_owned).collect();
            while self.token(*at) == "super" {
                base.pop();
                *at += 1;
                if self.token(*at) != "::" {
                    return None;
                }
                *at += 1;
            }
            return Some(base);
        }
        *at += 1;
        if self.token(*at) != "::" {
            return None;
        }
        *at += 1;
        Some(base)
    }

    /// Reads a path or a group of them, and gives the place after it.
    fn tree(&self, mut at: usize, base: &[String], found: &mut Vec<Named>) -> usize {
        let line = self.tokens.get(at).map_or(0, |it| it.line);
        if self.token(at) == "{" {
            at += 1;
            while !matches!(self.token(at), "}" | "") {
                at = if self.token(at) == "," { at + 1 } else { self.tree(at, base, found) };
            }
            return at + 1;
        }
        let mut segments = base.to_vec();
        loop {
            segments.push(self.token(at).to_owned());
            at += 1;
            if self.token(at) != "::" {
                found.push(Named { segments, line });
                // `name as other` inside a group
                return if self.token(at) == "as" { at + 2 } else { at };
            }
            match self.token(at + 1) {
                "{" => return self.tree(at + 1, &segments, found),
                "<" => {
                    found.push(Named { segments, line });
                    return at + 1;
                }
                _ => at += 1,
            }
        }
    }

    /// The tokens outside attributes; what `#[derive(…)]` names is not an expression.
    pub(crate) fn outside_attributes(&self) -> Vec<&Token> {
        let mut found = Vec::new();
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate() {
            let opens = self.token(at) == "#" && matches!(self.token(at + 1), "[" | "!");
            match token.text.as_str() {
                "[" if depth > 0 || (at > 0 && self.token(at - 1) == "#") => depth += 1,
                "]" if depth > 0 => depth -= 1,
                _ if depth == 0 && !opens => found.push(token),
                _ => {}
            }
        }
        found
    }

    pub(crate) fn token(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |it| it.text.as_str())
    }
}

/// What lies in a folder.
pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(dir).expect("the folder is readable");
    read.map(|entry| entry.expect("the entry is readable").path()).collect()
}

/// The text with comments (and, when asked, the insides of literals) replaced by spaces.
pub(crate) fn blank(text: &str, texts_too: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let (end, hidden) = match at(i) {
            '/' if at(i + 1) == '/' => (line_end(&chars, i), true),
            '/' if at(i + 1) == '*' => (comment_end(&chars, i), true),
            '"' => (string_end(&chars, i), texts_too),
            'r' if !is_word(at(i.wrapping_sub(1))) && raw_hashes(&chars, i).is_some() => {
                (raw_end(&chars, i), texts_too)
            }
            '\'' if at(i + 1) == '\\' => (escape_end(&chars, i), texts_too),
            '\'' if at(i + 2) == '\'' => (i + 3, texts_too),
            _ => (i + 1, false),
        };
        for j in i..end.min(chars.len()) {
            out.push(if hidden && at(j) != '\n' { ' ' } else { at(j) });
        }
        i = end;
    }
    out
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars.iter().skip(from).position(|c| *c == '\n').map_or(chars.len(), |n| from + n)
}

fn comment_end(chars: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = from;
    while i < chars.len() {
        match (chars.get(i), chars.get(i + 1)) {
            (Some('/'), Some('*')) => (depth, i) = (depth + 1, i + 2),
            (Some('*'), Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut i = from + 1;
    while let Some(c) = chars.get(i) {
        match c {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    i
}

fn escape_end(chars: &[char], from: usize) -> usize {
    let rest = chars.iter().skip(from + 3).position(|c| *c == '\'');
    rest.map_or(chars.len(), |n| from + 3 + n + 1)
}

fn raw_hashes(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars.iter().skip(from + 1).take_while(|c| **c == '#').count();
    (chars.get(from + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn raw_end(chars: &[char], from: usize) -> usize {
    let hashes = raw_hashes(chars, from).unwrap_or(0);
    let mut i = from + hashes + 2;
    while i < chars.len() {
        let closes = chars.get(i) == Some(&'"')
            && chars.iter().skip(i + 1).take_while(|c| **c == '#').count() >= hashes;
        if closes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    i
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks every item under `#[cfg(test)]`: from the attribute to the end of its braces, or to the
/// semicolon when it has none.
fn without_test_modules(code: &str) -> String {
    let bare = blank(code, true);
    let mut out: Vec<char> = code.chars().collect();
    let signs: Vec<char> = bare.chars().collect();
    let mark: Vec<char> = "#[cfg(test)]".chars().collect();
    let starts: Vec<usize> = signs
        .windows(mark.len())
        .enumerate()
        .filter(|(_, window)| *window == mark)
        .map(|(start, _)| start)
        .collect();
    for start in starts {
        for c in out.iter_mut().take(item_end(&signs, start + mark.len())).skip(start) {
            if *c != '\n' {
                *c = ' ';
            }
        }
    }
    out.into_iter().collect()
}

fn item_end(signs: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    for (i, c) in signs.iter().enumerate().skip(from) {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return i + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return i + 1,
            _ => {}
        }
    }
    signs.len()
}

fn tokens(code: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (token, after) = rest.split_at(length);
            found.push(Token { text: token.to_owned(), line: number + 1 });
            rest = after.trim_start();
        }
    }
    found
}
