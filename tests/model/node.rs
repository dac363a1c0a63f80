//! A second node beside the first, on a runtime of its own that can be lost without it.

use chancery::app::App;
use tokio::runtime::Runtime;

use crate::rig::{GRACE, PATIENCE, Rig, runtime};
use crate::stage::Kind;

/// The second node while it runs.
pub(crate) struct Node {
    app: App,
    home: Runtime,
}

impl Node {
    /// It stops, or is lost at whatever it does.
    pub(crate) fn end(self, clean: bool) {
        let Self { app, home } = self;
        if clean {
            assert!(home.block_on(app.stop()), "not everything in flight was recorded");
        } else {
            drop(app);
        }
        home.shutdown_timeout(GRACE);
    }
}

impl Rig {
    /// A second node begins, or the one that there is ends. A file belongs to one process.
    pub(crate) fn turn_node(&mut self, clean: bool) {
        match self.second.take() {
            Some(node) => node.end(clean),
            None if self.kind == Kind::Postgres => {
                let home = runtime();
                let app = home.block_on(self.stage.another(&[]));
                self.second = Some(Node { app, home });
            }
            None => {}
        }
    }

    /// The time of a story moves by leaps, that of a request does not: with two nodes one of them would
    /// give up what the other one has in hand, a moment before it arrives. Real zombies are in
    /// `tests/it/crash`.
    pub(crate) fn before_a_leap(&mut self) {
        if self.second.is_some() {
            self.breathe(PATIENCE);
        }
    }
}
