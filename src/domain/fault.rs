//! One thing that is wrong with what somebody handed in: where, which rule, and words for people.

/// A fault. All faults of one request are told at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer into what was handed in; empty for the whole of it.
    pub pointer: String,
    /// Stable machine word; also the key under which its words in other languages are kept.
    pub code: &'static str,
    /// In English.
    pub detail: String,
    /// What the words in other languages put into their gaps.
    pub args: Vec<(&'static str, String)>,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into(), args: Vec::new() }
    }

    /// With a value for the gap `name` of its words.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers hand in numbers as well as texts")]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.args.push((name, value.to_string()));
        self
    }
}
