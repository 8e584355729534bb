//! A blocking client that speaks lines. Waits at most ten seconds for anything.
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Gone,
}

/// One connection.
pub struct Client {
    wire: Wire,
    buffer: Vec<u8>,
    /// DEFLATE over the wire, out and in.
    packed: Option<Box<(Compress, Decompress)>>,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Client {
        let socket = TcpStream::connect(addr).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
            .set_read_timeout(Some(crate::harness::PATIENCE))
            .unwrap();
        socket
            .set_write_timeout(Some(crate::harness::PATIENCE))
            .unwrap();
        Client {
            wire: Wire::Plain(socket),
            buffer: Vec::new(),
            packed: None,
        }
    }

    /// Waits so long for an answer; [`PATIENCE`](super::PATIENCE) otherwise.
    pub fn patience(&self, wait: Duration) {
        let socket = match &self.wire {
            Wire::Plain(socket) => socket,
            Wire::Tls(tls) => tls.get_ref(),
            Wire::Gone => return,
        };
        socket.set_read_timeout(Some(wait)).unwrap();
    }

    /// Compresses both ways from here on (RFC 4978), with the window at its largest.
    pub fn compress(&mut self) {
        let ahead = std::mem::take(&mut self.buffer);
        let out = Compress::new(Compression::best(), false);
        self.packed = Some(Box::new((out, Decompress::new(false))));
        self.take(&ahead);
    }

    /// Compresses no more; nothing compressed is left to be read.
    pub fn decompress(&mut self) {
        self.packed = None;
    }

    /// Channel binding data `tls-exporter` (RFC 9266 §2).
    pub fn tls_exporter(&self) -> [u8; 32] {
        let Wire::Tls(tls) = &self.wire else {
            panic!("no TLS")
        };
        let label = b"EXPORTER-Channel-Binding";
        tls.conn
            .export_keying_material([0; 32], label, Some(b""))
            .unwrap()
    }

    /// Shakes hands, trusting any certificate.
    pub fn start_tls(&mut self) {
        assert!(
            self.buffer.is_empty(),
            "unread before TLS: {:?}",
            self.buffered()
        );
        let Wire::Plain(mut socket) = std::mem::replace(&mut self.wire, Wire::Gone) else {
            panic!("TLS is on already")
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut socket).expect("TLS handshake");
        }
        self.wire = Wire::Tls(Box::new(StreamOwned::new(session, socket)));
    }

    /// SHA-256 fingerprint of the server's certificate.
    pub fn fingerprint(&self) -> String {
        let Wire::Tls(tls) = &self.wire else {
            panic!("no TLS")
        };
        pillarbox::net::tls::fingerprint(&tls.conn.peer_certificates().unwrap()[0])
    }

    /// Sends a line; CRLF is added.
    pub fn send(&mut self, line: &str) {
        self.send_raw(format!("{line}\r\n").as_bytes());
    }

    /// Sends octets.
    pub fn send_raw(&mut self, octets: &[u8]) {
        self.try_send_raw(octets)
            .expect("the server takes what we send");
    }

    pub fn try_send_raw(&mut self, octets: &[u8]) -> std::io::Result<()> {
        let Some(packed) = &mut self.packed else {
            return self.try_send_packed(octets);
        };
        let mut out = Vec::with_capacity(octets.len() + octets.len() / 8 + 1000);
        let done = packed.0.compress_vec(octets, &mut out, FlushCompress::Sync);
        done.unwrap();
        self.try_send_packed(&out)
    }

    /// Octets as they are on the wire, compressed by whoever calls.
    pub fn try_send_packed(&mut self, octets: &[u8]) -> std::io::Result<()> {
        match &mut self.wire {
            Wire::Plain(s) => s.write_all(octets).and_then(|()| s.flush()),
            Wire::Tls(s) => s.write_all(octets).and_then(|()| s.flush()),
            Wire::Gone => panic!("no connection"),
        }
    }

    /// No more from us; reading goes on.
    pub fn shutdown_write(&mut self) {
        let socket = match &self.wire {
            Wire::Plain(s) => s,
            Wire::Tls(s) => &s.sock,
            Wire::Gone => return,
        };
        let _ = socket.shutdown(Shutdown::Write);
    }

    fn read_some(&mut self) -> usize {
        let mut chunk = [0; 16 * 1024];
        let read = match &mut self.wire {
            Wire::Plain(s) => s.read(&mut chunk),
            Wire::Tls(s) => s.read(&mut chunk),
            Wire::Gone => Ok(0),
        };
        match read {
            Ok(n) => {
                self.take(&chunk[..n]);
                n
            }
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
                ) =>
            {
                0
            }
            Err(e) => panic!("no answer ({e}); unread: {:?}", self.buffered()),
        }
    }

    fn take(&mut self, mut octets: &[u8]) {
        let Some(packed) = &mut self.packed else {
            return self.buffer.extend_from_slice(octets);
        };
        loop {
            let before = packed.1.total_in();
            let mut out = Vec::with_capacity(64 * 1024);
            let done = packed
                .1
                .decompress_vec(octets, &mut out, FlushDecompress::Sync);
            done.expect("what the server sends inflates");
            octets = &octets[usize::try_from(packed.1.total_in() - before).unwrap()..];
            self.buffer.extend_from_slice(&out);
            if octets.is_empty() && out.len() < out.capacity() {
                return;
            }
        }
    }

    fn buffered(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// The next line as octets, without CRLF; `None` at the end of the connection.
    pub fn try_line(&mut self) -> Option<Vec<u8>> {
        let mut from = 0;
        loop {
            if let Some(at) = self.buffer[from..].iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=from + at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Some(line);
            }
            from = self.buffer.len();
            if self.read_some() == 0 {
                return None;
            }
        }
    }

    /// The next line.
    pub fn line(&mut self) -> String {
        let line = self.try_line();
        let line = line.unwrap_or_else(|| panic!("closed; unread: {:?}", self.buffered()));
        String::from_utf8_lossy(&line).into_owned()
    }

    /// The next line, which must begin so.
    #[track_caller]
    pub fn expect(&mut self, start: &str) -> String {
        let line = self.line();
        assert!(line.starts_with(start), "expected {start:?}, got {line:?}");
        line
    }

    /// All lines up to the first that begins so, which is the last one returned.
    pub fn until(&mut self, start: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.line());
            if lines.last().is_some_and(|line| line.starts_with(start)) {
                return lines;
            }
        }
    }

    /// Sends a line and returns the answer up to the line that begins so.
    pub fn ask(&mut self, line: &str, until: &str) -> Vec<String> {
        self.send(line);
        self.until(until)
    }

    /// Exactly this many octets.
    pub fn octets(&mut self, n: usize) -> Vec<u8> {
        while self.buffer.len() < n {
            assert!(
                self.read_some() > 0,
                "closed; unread: {:?}",
                self.buffered()
            );
        }
        self.buffer.drain(..n).collect()
    }

    /// Everything until the connection ends.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.read_some() > 0 {}
        std::mem::take(&mut self.buffer)
    }

    /// The connection must end now, with nothing more said.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let rest = self.rest();
        assert!(
            rest.is_empty(),
            "more was said: {:?}",
            String::from_utf8_lossy(&rest)
        );
    }
}

#[derive(Debug)]
struct TrustAll;

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
