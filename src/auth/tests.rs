//! Log-ins through the public door.
