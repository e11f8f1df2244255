//! What the store says it did.
