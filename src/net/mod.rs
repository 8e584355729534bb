//! The network under every protocol: sockets, TLS, buffered connections, listeners.
//!
//! * [`Stream`]: a TCP connection, plain, TLS or compressed, as one type without generics.
//! * [`Conn`]: a stream with its buffers, deadlines, addresses and number; what sessions speak to.
//! * [`tls`]: certificates (files or self-made), reload, fingerprint, the client side's trust.
//! * [`listener`]: bind, accept, limits per address, one task per connection.
//! * [`client`]: outgoing connections (the smarthost).
//!
//! Nothing here knows a protocol: no line of SMTP or IMAP is written in this folder.

pub mod census;
pub mod client;
mod conn;
mod deflate;
mod error;
pub mod fetch;
pub mod listener;
pub mod proxy;
pub mod shutdown;
mod stream;
pub mod target;
pub mod tls;

pub use conn::{Conn, Line, StartTls, Timeouts};
pub use error::Error;
pub use futures_rustls::{TlsAcceptor, TlsConnector};
pub use shutdown::Shutdown;
pub use stream::Stream;
pub use target::Target;
