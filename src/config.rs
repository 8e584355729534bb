//! Flags, checked once, turned into types.
