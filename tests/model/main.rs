//! Random acts, faults, losses and moves of the clocks against the invariants of publishing: a state
//! machine that plays over the real service, and says which seed broke which promise.

#[cfg(test)]
mod act;
#[cfg(test)]
mod bans;
#[cfg(test)]
mod node;
#[cfg(test)]
mod play;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod seeds;
// What `tests/it` needs besides is not used here.
#[cfg(test)]
#[expect(dead_code, unused_imports, unused_macros, reason = "the other tests stand on it too")]
#[path = "../stage/mod.rs"]
mod stage;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod watch;
