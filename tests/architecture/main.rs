//! Keeps the architecture: the allowed edges between folders, and the rules of the tree.
//!
//! The edges stand in `edges.rs` and, equal, in `docs/architecture.md`.

mod edges;
mod rules;
mod source;
