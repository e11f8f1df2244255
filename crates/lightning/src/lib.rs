//! lightning.
