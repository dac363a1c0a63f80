//! unit.
