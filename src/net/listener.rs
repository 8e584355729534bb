//! Sockets to listen on.
