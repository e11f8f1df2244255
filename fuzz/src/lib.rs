//! What several fuzz targets share. The targets stand in `targets/`, one file each.
//!
//! | module | what it holds |
//! |---|---|
//! | [`keys`] | a sender and a recipient with fixed keys, and records signed by the one for the other |
//! | [`rules`] | the rules of frames and contents, written a second time from `docs/protocol.md` |
//! | [`walk`] | what must hold of every frame that was read, down to its contents |

pub mod keys;
pub mod rules;
pub mod walk;
