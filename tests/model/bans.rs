//! What must not leave any more since a person was told so: the answer of a platform's journal, not
//! of the service, counts.

use chancery::simulator::JournalEntry;

/// From some request on nothing of this kind may arrive.
#[derive(Debug)]
pub(crate) struct Ban {
    /// What was answered.
    pub(crate) why: String,
    /// The platform's id of the account.
    pub(crate) account: String,
    /// Only this text; any when none.
    pub(crate) text: Option<String>,
    /// Texts that were leaving already.
    pub(crate) leaving: Vec<String>,
    /// How many requests had arrived by then.
    pub(crate) since: usize,
}

impl Ban {
    /// Every request that broke it.
    pub(crate) fn broken(&self, journal: &[JournalEntry]) -> Vec<String> {
        let meant = |entry: &&JournalEntry| {
            let says = |text: &String| entry.intent.text.starts_with(text.as_str());
            entry.account.as_deref() == Some(&self.account)
                && self.text.as_ref().is_none_or(says)
                && !self.leaving.iter().any(says)
        };
        let later = journal.get(self.since..).unwrap_or_default().iter();
        later
            .filter(meant)
            .map(|entry| format!("after `{}` there came {:?}", self.why, entry.intent.text))
            .collect()
    }
}
