//! A TCP connection, plain, TLS or compressed, server or client side, as one type.
use super::deflate::Deflate;
use async_io::Async;
use smol::io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A connection's bytes. TLS states are boxed: they are large and most connections of a
/// plain listener never have one.
pub enum Stream {
    /// No TLS.
    Plain(Async<TcpStream>),
    /// We are the TLS server.
    TlsServer(Box<futures_rustls::server::TlsStream<Async<TcpStream>>>),
    /// We are the TLS client (smarthost).
    TlsClient(Box<futures_rustls::client::TlsStream<Async<TcpStream>>>),
    /// Compressed, over any of the others.
    Deflate(Box<Deflate>),
    /// Taken away (a TLS handshake failed half-way): every use is an error.
    Gone,
}

/// Runs `$body` with `$s` bound to the inner stream, pinned.
macro_rules! each {
    ($self:expr, $s:ident => $body:expr) => {
        match $self.get_mut() {
            Stream::Plain(s) => {
                let $s = Pin::new(s);
                $body
            }
            Stream::TlsServer(s) => {
                let $s = Pin::new(s.as_mut());
                $body
            }
            Stream::TlsClient(s) => {
                let $s = Pin::new(s.as_mut());
                $body
            }
            Stream::Deflate(s) => {
                let $s = Pin::new(s.as_mut());
                $body
            }
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    };
}

impl Stream {
    /// Whether the bytes are under TLS.
    pub fn is_tls(&self) -> bool {
        match self {
            Stream::TlsServer(_) | Stream::TlsClient(_) => true,
            Stream::Deflate(s) => s.inner().is_tls(),
            Stream::Plain(_) | Stream::Gone => false,
        }
    }

    /// Whether the bytes are compressed.
    pub fn is_compressed(&self) -> bool {
        matches!(self, Stream::Deflate(_))
    }

    /// The socket itself; `None` once it is gone.
    pub(super) fn socket(&self) -> Option<&Async<TcpStream>> {
        match self {
            Stream::Plain(s) => Some(s),
            Stream::TlsServer(s) => Some(s.get_ref().0),
            Stream::TlsClient(s) => Some(s.get_ref().0),
            Stream::Deflate(s) => s.inner().socket(),
            Stream::Gone => None,
        }
    }

    /// Keying material of this TLS 1.3 session under `label` without context, as
    /// `tls-exporter` channel binding wants it (RFC 9266 §2). `None` without TLS or below 1.3,
    /// where the exporter is not unique.
    pub fn export_keying_material(&self, label: &[u8]) -> Option<[u8; 32]> {
        let out = [0; 32];
        match self {
            Stream::TlsServer(s) => {
                let session = s.get_ref().1;
                if session.protocol_version()? != rustls::ProtocolVersion::TLSv1_3 {
                    return None;
                }
                session.export_keying_material(out, label, Some(b"")).ok()
            }
            Stream::TlsClient(s) => {
                let session = s.get_ref().1;
                if session.protocol_version()? != rustls::ProtocolVersion::TLSv1_3 {
                    return None;
                }
                session.export_keying_material(out, label, Some(b"")).ok()
            }
            Stream::Deflate(s) => s.inner().export_keying_material(label),
            Stream::Plain(_) | Stream::Gone => None,
        }
    }

    /// TLS version and cipher suite, for `Received` header fields and the log.
    pub fn tls_info(&self) -> Option<(&'static str, &'static str)> {
        let (version, suite) = match self {
            Stream::TlsServer(s) => {
                let session = s.get_ref().1;
                (
                    session.protocol_version()?,
                    session.negotiated_cipher_suite()?,
                )
            }
            Stream::TlsClient(s) => {
                let session = s.get_ref().1;
                (
                    session.protocol_version()?,
                    session.negotiated_cipher_suite()?,
                )
            }
            Stream::Deflate(s) => return s.inner().tls_info(),
            Stream::Plain(_) | Stream::Gone => return None,
        };
        let version = match version {
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => "TLSv1.2",
        };
        Some((
            version,
            suite.suite().as_str().unwrap_or("unknown cipher suite"),
        ))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, s => s.poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, s => s.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, s => s.poll_write_vectored(cx, bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, s => s.poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, s => s.poll_close(cx))
    }
}
