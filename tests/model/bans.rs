//! What must not leave any more since a person was told so: the answer of a platform's journal, not
//! of the service, counts.

use chancery::domain::id::HoldId;
use chancery::simulator::JournalEntry;

use crate::act::Reach;
use crate::rig::Order;
use crate::stage::Outlet;

/// What a ban is about.
#[derive(Debug, Clone)]
pub(crate) enum Meant {
    /// An account, by its platform's id.
    Account(String),
    /// One text on it.
    Text { account: String, text: String },
    /// All that a hold covers, but perhaps what is urgent.
    Hold { id: HoldId, reach: Reach, spare: bool },
}

/// From some request on nothing of this kind may arrive.
#[derive(Debug, Clone)]
pub(crate) struct Ban {
    /// What was answered.
    pub(crate) why: String,
    pub(crate) meant: Meant,
    /// Texts that were leaving already.
    pub(crate) leaving: Vec<String>,
    /// How many requests had arrived by then.
    pub(crate) since: usize,
}

impl Reach {
    /// Whether a hold of this reach covers a delivery, by the words of its contract.
    pub(crate) fn covers(self, spare: bool, order: &Order, outlets: &[Outlet]) -> bool {
        let within = match self {
            Self::All => true,
            Self::Platform(at) => outlets[at].platform == outlets[order.outlet].platform,
            Self::Account(at) => at == order.outlet,
            Self::Class(class) => class == order.class,
        };
        within && !(spare && order.class == "urgent")
    }
}

impl Ban {
    /// Every request that broke it.
    pub(crate) fn broken(
        &self,
        journal: &[JournalEntry],
        orders: &[Order],
        outlets: &[Outlet],
    ) -> Vec<String> {
        let meant = |entry: &&JournalEntry| {
            let said = &entry.intent.text;
            let at = |account: &str| entry.account.as_deref() == Some(account);
            let within = match &self.meant {
                Meant::Account(account) => at(account),
                Meant::Text { account, text } => at(account) && said.starts_with(text),
                Meant::Hold { reach, spare, .. } => {
                    // Of two with one text it may have been the one that is not covered.
                    let mut own = orders.iter().filter(|order| {
                        at(&outlets[order.outlet].remote_id) && said.starts_with(&order.text)
                    });
                    let first = own.next();
                    let covers = |order| reach.covers(*spare, order, outlets);
                    first.is_some_and(covers) && own.all(covers)
                }
            };
            within && !self.leaving.iter().any(|text| said.starts_with(text))
        };
        let later = journal.get(self.since..).unwrap_or_default().iter();
        later
            .filter(meant)
            .map(|entry| format!("after `{}` there came {:?}", self.why, entry.intent.text))
            .collect()
    }
}
