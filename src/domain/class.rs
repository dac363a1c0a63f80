//! The class of a post: how urgent it is and how late it may still go out.

use super::words;

words! {
    /// What kind of thing is said; decides order, lateness and how doubt is treated.
    Class {
        /// An official position. After a doubtful attempt a person is always asked.
        Statement = "statement",
        /// Consular alerts and the like: first in every queue, useless when late.
        Urgent = "urgent",
        /// The daily work.
        Routine = "routine",
        /// Goes out whenever there is room.
        Evergreen = "evergreen",
    }
}

impl Class {
    /// Order in a queue; smaller goes first.
    pub const fn priority(self) -> i32 {
        match self {
            Self::Urgent => 0,
            Self::Statement => 1,
            Self::Routine => 2,
            Self::Evergreen => 3,
        }
    }
}
