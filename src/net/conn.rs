//! A connection as a session sees it: lines and chunks in, coalesced bytes out, time limits.
//!
//! Memory: an idle connection holds no read or write buffer (bytes arrive through a buffer
//! that all connections of a thread share, and are kept only until consumed). Nothing grows
//! with what the peer sends: a line has the caller's bound, everything else is taken in chunks.
//!
//! All reads are cancel-safe: dropping one and asking again loses nothing, so that a session
//! may wait for its peer and for the mailbox at the same time. Writes are not: after a write or
//! flush that was dropped half-way nobody knows how much has gone out, so close the connection.
use super::census::Place;
use super::deflate::Deflate;
use super::{Error, Shutdown, Stream};
use crate::limits;
use crate::sys::task::within;
use async_io::{Async, Timer};
use event_listener::EventListener;
use futures_rustls::{TlsAcceptor, TlsConnector};
use smol::io::{AsyncRead, AsyncWrite};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown as Direction, SocketAddr, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

thread_local! {
    /// Where bytes from the socket land first, shared by all connections of a thread.
    static SCRATCH: RefCell<Box<[u8]>> =
        RefCell::new(vec![0; limits::READ_CHUNK].into_boxed_slice());
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// CRLF, as every protocol here wants it.
    Crlf,
    /// A bare LF. The protocol decides whether to be generous.
    Lf,
    /// The bound was reached without a line ending; nothing was consumed. Go on with
    /// [`Conn::drain_line`] or close.
    TooLong,
}

/// What [`Conn::start_tls`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartTls {
    /// Octets that came in the clear after the STARTTLS line and were thrown away. Not zero
    /// means command injection or a client that does not wait (RFC 3207 §4.2, CVE-2011-0411).
    pub dropped: usize,
}

/// The time limits of a connection. Shared, so that whoever gave the connection away (to the
/// HTTP library) can still change them; a change counts from the next wait.
#[derive(Debug)]
pub struct Timeouts {
    /// Longest wait for the peer's next octet.
    pub idle: Cell<Option<Duration>>,
    /// No read waits beyond this (time to log in, time for one command).
    pub deadline: Cell<Option<Instant>>,
    /// Longest wait for the peer to take any octet of ours.
    pub write: Cell<Duration>,
}

/// A connection: stream, buffers, limits, names.
pub struct Conn {
    stream: Stream,
    input: Vec<u8>,
    /// Octets of `input` already consumed.
    taken: usize,
    /// Octets of `input` (after `taken`) known to hold no LF.
    scanned: usize,
    output: Vec<u8>,
    timeouts: Rc<Timeouts>,
    timer: Timer,
    /// When `timer` fires. It is armed lazily: only ever moved to earlier, and checked when it
    /// fires, so that a busy connection never touches the reactor's timers.
    timer_at: Option<Instant>,
    waiting_since: Option<Instant>,
    /// Reads and writes in a row that did not have to wait.
    busy: u32,
    /// Since when a write through `AsyncWrite` has been waiting.
    stalled_since: Option<Instant>,
    shutdown: Option<Shutdown>,
    shutdown_listener: Option<EventListener>,
    end: Option<Shutdown>,
    end_listener: Option<EventListener>,
    number: u32,
    peer: SocketAddr,
    local: SocketAddr,
    /// Somebody else's word is all there is for `peer`.
    proxied: bool,
    place: Option<Place>,
}

/// The number of the next connection. It wraps after four billion; it only names log lines.
static NEXT_NUMBER: AtomicU32 = AtomicU32::new(1);

/// Asks the kernel to look after a silent peer: one that vanished (a phone that left the house)
/// ends in about ten minutes instead of holding its place, or a maildrop's lock, for the idle time.
fn keep_alive(tcp: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(tcp, true)?;
    sockopt::set_tcp_keepidle(tcp, limits::KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(tcp, limits::KEEPALIVE_EVERY)?;
    sockopt::set_tcp_keepcnt(tcp, 5)?;
    Ok(())
}

impl Conn {
    /// Takes a connected socket: sets TCP_NODELAY (replies are coalesced here, so Nagle's
    /// algorithm could only delay them) and gives it the next connection number.
    ///
    /// # Errors
    /// When the peer is gone already.
    pub fn new(socket: Async<TcpStream>) -> Result<Conn, Error> {
        let tcp = socket.get_ref();
        tcp.set_nodelay(true)?;
        keep_alive(tcp)?;
        let peer = canonical(tcp.peer_addr()?);
        let local = canonical(tcp.local_addr()?);
        Ok(Conn {
            stream: Stream::Plain(socket),
            input: Vec::new(),
            taken: 0,
            scanned: 0,
            output: Vec::new(),
            timeouts: Rc::new(Timeouts {
                idle: Cell::new(Some(limits::IDLE_DEFAULT)),
                deadline: Cell::new(None),
                write: Cell::new(limits::WRITE_STALL),
            }),
            timer: Timer::never(),
            timer_at: None,
            waiting_since: None,
            busy: 0,
            stalled_since: None,
            shutdown: None,
            shutdown_listener: None,
            end: None,
            end_listener: None,
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            peer,
            local,
            proxied: false,
            place: None,
        })
    }

    /// Makes the connection hold its place in the census until it is dropped.
    pub(super) fn hold(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// From now on [`read_line`](Conn::read_line) reports [`Error::Shutdown`] between lines.
    pub fn watch_shutdown(&mut self, shutdown: Shutdown) {
        self.shutdown = Some(shutdown);
    }

    /// From now on every read and write that waits ends with [`Error::Revoked`] when this switch is
    /// thrown; a read does so even if there is something to read.
    pub fn watch_end(&mut self, end: Shutdown) {
        self.end = Some(end);
        self.end_listener = None;
    }

    /// Nobody can end it from outside any more (UNAUTHENTICATE).
    pub fn unwatch_end(&mut self) {
        (self.end, self.end_listener) = (None, None);
    }

    /// The connection's number, which every log line of it carries.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The peer's address; IPv4-mapped IPv6 is given as IPv4.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The peer's IP address.
    pub fn peer_ip(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Our own address on this connection.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Reads the PROXY header, before anything else is read. From now on the peer is whom it names, and
    /// is not trusted for its address.
    ///
    /// # Errors
    /// [`Error::Garbled`] when there is none, [`Error::Deadline`].
    pub async fn read_proxy(&mut self) -> Result<(), Error> {
        let mut peer = Ok(None);
        let reading = async {
            peer = super::proxy::read(&mut self.stream).await;
            Ok(())
        };
        let read = within(Instant::now() + limits::PROXY_TIME, Box::pin(reading)).await;
        read.map_err(|_| Error::Deadline)?;
        if let Some(peer) = peer? {
            self.peer = canonical(peer);
        }
        self.proxied = true;
        Ok(())
    }

    /// Counts a proxied peer by the address it has by the proxy's word, and by that of the proxy no
    /// longer. False: there are too many from there.
    pub fn takes_its_place(&mut self) -> bool {
        let ip = self.peer.ip();
        self.place
            .as_mut()
            .is_none_or(|place| place.move_to(ip).is_ok())
    }

    /// Whether the peer's address is a proxy's word.
    pub fn is_proxied(&self) -> bool {
        self.proxied
    }

    /// Whether the bytes are under TLS.
    pub fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// Whether the peer is this machine.
    pub fn is_loopback(&self) -> bool {
        !self.proxied && self.peer.ip().is_loopback()
    }

    /// Whether nobody between the peer and us can listen: TLS, or loopback.
    pub fn is_private(&self) -> bool {
        self.is_tls() || self.is_loopback()
    }

    /// TLS version and cipher suite, as `Received` and the log name them.
    pub fn tls_info(&self) -> Option<(&'static str, &'static str)> {
        self.stream.tls_info()
    }

    /// Channel binding data `tls-exporter` (RFC 9266); `None` below TLS 1.3.
    pub fn tls_exporter(&self) -> Option<[u8; 32]> {
        self.stream
            .export_keying_material(b"EXPORTER-Channel-Binding")
    }

    /// The time limits, shared.
    pub fn timeouts(&self) -> Rc<Timeouts> {
        self.timeouts.clone()
    }

    /// Longest wait for the peer's next octet; `None` waits for ever.
    pub fn set_idle(&self, idle: Option<Duration>) {
        self.timeouts.idle.set(idle);
    }

    /// No read waits beyond this instant. `None` lifts it (after log-in).
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.timeouts.deadline.set(deadline);
    }

    // ---------------------------------------------------------------- reading

    /// Octets that have come and were not consumed.
    pub fn buffer(&self) -> &[u8] {
        self.input.get(self.taken..).unwrap_or_default()
    }

    /// Marks the first `n` octets of [`buffer`](Conn::buffer) as done with.
    pub fn consume(&mut self, n: usize) {
        self.taken = self.input.len().min(self.taken + n);
        self.scanned = self.scanned.saturating_sub(n);
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        } else if self.taken >= limits::READ_CHUNK {
            self.input.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// Waits for more octets and appends them (at most 16 KiB) to the buffer. Returns how many.
    ///
    /// # Errors
    /// [`Error::Closed`] at end of file; the time limits.
    pub async fn fill(&mut self) -> Result<usize, Error> {
        self.in_session()?;
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// As [`fill`](Conn::fill), between commands: the server's stop ends the wait with
    /// [`Error::Shutdown`].
    ///
    /// # Errors
    /// As [`fill`](Conn::fill), and [`Error::Shutdown`].
    pub async fn fill_between(&mut self) -> Result<usize, Error> {
        self.in_session()?;
        poll_fn(|cx| self.poll_next_line(cx)).await
    }

    /// The deadline holds for a peer that never pauses, too.
    fn in_session(&self) -> Result<(), Error> {
        let deadline = self.timeouts.deadline.get();
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::Deadline);
        }
        Ok(())
    }

    /// The next octets, at least one and at most `max`; consume them with
    /// [`consume`](Conn::consume). For literals, BDAT and DATA.
    ///
    /// # Errors
    /// As [`fill`](Conn::fill).
    pub async fn chunk(&mut self, max: usize) -> Result<&[u8], Error> {
        if self.buffer().is_empty() {
            self.fill().await?;
        }
        let have = self.buffer();
        Ok(have.get(..max).unwrap_or(have))
    }

    /// Throws away exactly `n` octets (a literal that was refused).
    ///
    /// # Errors
    /// As [`fill`](Conn::fill).
    pub async fn discard(&mut self, mut n: u64) -> Result<(), Error> {
        while n > 0 {
            let max = usize::try_from(n).unwrap_or(usize::MAX);
            let got = self.chunk(max).await?.len();
            self.consume(got);
            n -= got as u64;
        }
        Ok(())
    }

    /// Reads one line into `line` (cleared first), without its line ending. A line longer than
    /// `max` octets, ending included, is reported as [`Line::TooLong`] and left unread.
    ///
    /// # Errors
    /// As [`fill`](Conn::fill), and [`Error::Shutdown`] when the server stops while no octet
    /// of the line has come. An unfinished line at end of file is dropped.
    pub async fn read_line(&mut self, line: &mut Vec<u8>, max: usize) -> Result<Line, Error> {
        line.clear();
        loop {
            let have = self.buffer();
            let new = have.get(self.scanned..).unwrap_or_default();
            if let Some(at) = new.iter().position(|b| *b == b'\n') {
                let end = self.scanned + at;
                if end >= max {
                    return Ok(Line::TooLong);
                }
                let text = have.get(..end).unwrap_or_default();
                let kind = match text.strip_suffix(b"\r") {
                    Some(text) => {
                        line.extend_from_slice(text);
                        Line::Crlf
                    }
                    None => {
                        line.extend_from_slice(text);
                        Line::Lf
                    }
                };
                self.consume(end + 1);
                return Ok(kind);
            }
            let scanned = have.len();
            self.scanned = scanned;
            if scanned >= max {
                return Ok(Line::TooLong);
            }
            if scanned == 0 {
                poll_fn(|cx| self.poll_next_line(cx)).await?;
            } else {
                self.fill().await?;
            }
        }
    }

    /// Throws away the rest of a line, up to and including its LF. Returns `false` when `limit`
    /// octets went by without one: then close.
    ///
    /// # Errors
    /// As [`fill`](Conn::fill).
    pub async fn drain_line(&mut self, mut limit: usize) -> Result<bool, Error> {
        loop {
            let have = self.chunk(limit).await?;
            let got = have.len();
            if let Some(at) = have.iter().position(|b| *b == b'\n') {
                self.consume(at + 1);
                return Ok(true);
            }
            self.consume(got);
            limit -= got;
            if limit == 0 {
                return Ok(false);
            }
        }
    }

    /// Gives way to the thread's other connections now and then: a peer that always has more to
    /// send, or always takes more, would otherwise never let go of the executor.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.busy += 1;
        if self.busy <= limits::TURN {
            return Poll::Ready(());
        }
        self.busy = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        ready!(self.poll_turn(cx));
        if self.end.as_ref().is_some_and(Shutdown::is_thrown) {
            return Poll::Ready(Err(Error::Revoked));
        }
        let read = SCRATCH.with_borrow_mut(|scratch| {
            match Pin::new(&mut self.stream).poll_read(cx, scratch) {
                Poll::Ready(Ok(n)) => {
                    self.input
                        .extend_from_slice(scratch.get(..n).unwrap_or_default());
                    Poll::Ready(Ok(n))
                }
                other => other,
            }
        });
        match read {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Error::Closed)),
            Poll::Ready(Ok(n)) => {
                self.waiting_since = None;
                Poll::Ready(Ok(n))
            }
            Poll::Ready(Err(e)) => Poll::Ready(Err(e.into())),
            Poll::Pending => {
                self.busy = 0;
                self.release_buffers();
                self.poll_read_limits(cx).map(Err)
            }
        }
    }

    /// As `poll_fill`, between lines: the server's stop ends the wait.
    fn poll_next_line(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        let filled = self.poll_fill(cx);
        if filled.is_ready() {
            return filled;
        }
        let Some(shutdown) = &self.shutdown else {
            return Poll::Pending;
        };
        if self.shutdown_listener.is_none() {
            self.shutdown_listener = shutdown.listener();
        }
        match &mut self.shutdown_listener {
            Some(listener) => Pin::new(listener).poll(cx).map(|()| Err(Error::Shutdown)),
            None => Poll::Ready(Err(Error::Shutdown)),
        }
    }

    /// Ready once the switch of [`watch_end`](Conn::watch_end) is thrown.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(end) = &self.end else {
            return Poll::Pending;
        };
        if self.end_listener.is_none() {
            self.end_listener = end.listener();
        }
        if let Some(listener) = &mut self.end_listener {
            ready!(Pin::new(listener).poll(cx));
        }
        self.end_listener = None;
        Poll::Ready(Error::Revoked)
    }

    /// The read limits, when a read has to wait.
    fn poll_read_limits(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if let Poll::Ready(error) = self.poll_end(cx) {
            return Poll::Ready(error);
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let idle = self.timeouts.idle.get().map(|idle| since + idle);
        match (idle, self.timeouts.deadline.get()) {
            (None, None) => Poll::Pending,
            (Some(idle), None) => self.poll_until(cx, idle).map(|()| Error::Idle),
            (None, Some(deadline)) => self.poll_until(cx, deadline).map(|()| Error::Deadline),
            (Some(idle), Some(deadline)) if idle < deadline => {
                self.poll_until(cx, idle).map(|()| Error::Idle)
            }
            (_, Some(deadline)) => self.poll_until(cx, deadline).map(|()| Error::Deadline),
        }
    }

    /// Ready once `at` has passed.
    fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        loop {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            if self.timer_at.is_none_or(|armed| armed > at) {
                self.timer.set_at(at);
                self.timer_at = Some(at);
            }
            if Pin::new(&mut self.timer).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.timer_at = None;
        }
    }

    /// Gives empty buffers back while waiting, so that an idle connection costs none.
    fn release_buffers(&mut self) {
        if self.input.is_empty() && self.input.capacity() > limits::BUFFER_KEPT {
            self.input = Vec::new();
        }
        if self.output.is_empty() && self.output.capacity() > limits::BUFFER_KEPT {
            self.output = Vec::new();
        }
    }

    // ---------------------------------------------------------------- writing

    /// Adds octets to the output. It is sent by [`flush`](Conn::flush), or here once 16 KiB
    /// have come together.
    ///
    /// # Errors
    /// As [`flush`](Conn::flush), when it had to send.
    pub async fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        if self.output.len() + octets.len() < limits::WRITE_BUFFER {
            self.output.extend_from_slice(octets);
            return Ok(());
        }
        self.send(octets).await
    }

    /// The output buffer, for what formats itself into a `Vec`; follow it with
    /// [`spill`](Conn::spill) wherever the loop around it has no small bound.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Sends the output if 16 KiB have come together.
    ///
    /// # Errors
    /// As [`flush`](Conn::flush).
    pub async fn spill(&mut self) -> Result<(), Error> {
        if self.output.len() < limits::WRITE_BUFFER {
            Ok(())
        } else {
            self.send(&[]).await
        }
    }

    /// Sends everything written so far.
    ///
    /// # Errors
    /// [`Error::WriteStalled`] when the peer took nothing for the write limit,
    /// [`Error::Closed`] when it is gone.
    pub async fn flush(&mut self) -> Result<(), Error> {
        if !self.output.is_empty() {
            self.send(&[]).await?;
        }
        let mut since = None;
        poll_fn(|cx| match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(done) => Poll::Ready(done.map_err(Error::from)),
            Poll::Pending => self.poll_write_limit(cx, &mut since),
        })
        .await
    }

    /// Sends the output buffer and then `more`, in as few system calls as it takes.
    async fn send(&mut self, more: &[u8]) -> Result<(), Error> {
        let total = self.output.len() + more.len();
        let mut sent = 0;
        let mut since = None;
        let done = poll_fn(|cx| {
            while sent < total {
                ready!(self.poll_turn(cx));
                let first = self.output.get(sent..).unwrap_or_default();
                let from = sent.saturating_sub(self.output.len());
                let second = more.get(from..).unwrap_or_default();
                let both = [IoSlice::new(first), IoSlice::new(second)];
                let wrote = match (first.is_empty(), second.is_empty()) {
                    (true, _) => Pin::new(&mut self.stream).poll_write(cx, second),
                    (_, true) => Pin::new(&mut self.stream).poll_write(cx, first),
                    _ => Pin::new(&mut self.stream).poll_write_vectored(cx, &both),
                };
                match wrote {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(Error::Closed)),
                    Poll::Ready(Ok(n)) => {
                        sent += n;
                        since = None;
                    }
                    Poll::Ready(Err(e)) => return Poll::Ready(Err(e.into())),
                    Poll::Pending => {
                        self.busy = 0;
                        return self.poll_write_limit(cx, &mut since);
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
        .await;
        self.output.clear();
        done
    }

    fn poll_write_limit(
        &mut self,
        cx: &mut Context<'_>,
        since: &mut Option<Instant>,
    ) -> Poll<Result<(), Error>> {
        if let Poll::Ready(error) = self.poll_end(cx) {
            return Poll::Ready(Err(error));
        }
        let at = *since.get_or_insert_with(Instant::now) + self.timeouts.write.get();
        self.poll_until(cx, at).map(|()| Err(Error::WriteStalled))
    }

    // ---------------------------------------------------------------- TLS, end

    /// Becomes the TLS server of this connection: sends what is written, throws away whatever
    /// came in the clear behind the command that asked for TLS (it could have been put there
    /// by somebody in the middle), and shakes hands within the handshake limit.
    ///
    /// # Errors
    /// [`Error::Tls`] with the reason; the connection is of no more use then.
    pub async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> Result<StartTls, Error> {
        let (socket, dropped) = self.take_plain().await?;
        let until = self.handshake_limit();
        // Boxed: a handshake's state is large and would otherwise stay part of the session's.
        let handshake = Box::pin(async {
            self.stream = Stream::TlsServer(Box::new(acceptor.accept(socket).await?));
            Ok(())
        });
        within(until, handshake).await.map_err(no_tls)?;
        Ok(StartTls { dropped })
    }

    /// Becomes the TLS client of this connection, for the server `name`.
    ///
    /// # Errors
    /// As [`start_tls`](Conn::start_tls); also when the name is not a name or an address.
    pub async fn start_tls_client(
        &mut self,
        connector: &TlsConnector,
        name: &str,
    ) -> Result<StartTls, Error> {
        let name = rustls::pki_types::ServerName::try_from(name.to_owned())
            .map_err(|_| Error::Tls(format!("{name} is not a host name")))?;
        let (socket, dropped) = self.take_plain().await?;
        let until = self.handshake_limit();
        let handshake = Box::pin(async {
            self.stream = Stream::TlsClient(Box::new(connector.connect(name, socket).await?));
            Ok(())
        });
        within(until, handshake).await.map_err(no_tls)?;
        Ok(StartTls { dropped })
    }

    /// Takes the plain socket out, leaving nothing readable behind.
    async fn take_plain(&mut self) -> Result<(Async<TcpStream>, usize), Error> {
        self.flush().await?;
        let dropped = self.buffer().len();
        self.input = Vec::new();
        self.taken = 0;
        self.scanned = 0;
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(socket) => Ok((socket, dropped)),
            other => {
                self.stream = other;
                Err(Error::Tls("TLS is on already".into()))
            }
        }
    }

    /// Sends what is written and compresses both ways from here on (RFC 4978 §3), over TLS or not.
    /// What has come behind the command that asked for it is taken for compressed.
    ///
    /// # Errors
    /// As [`flush`](Conn::flush).
    pub async fn compress(&mut self) -> Result<(), Error> {
        self.flush().await?;
        let ahead = self.buffer().to_vec();
        self.input = Vec::new();
        self.taken = 0;
        self.scanned = 0;
        let stream = std::mem::replace(&mut self.stream, Stream::Gone);
        self.stream = Stream::Deflate(Box::new(Deflate::new(stream, ahead)));
        Ok(())
    }

    /// Sends what is written and compresses no more (RFC 8437 §4.1). The peer has stopped too: behind
    /// the end of its stream, or waiting for an answer, which is why nothing of what comes next has
    /// been taken for compressed.
    ///
    /// # Errors
    /// As [`flush`](Conn::flush).
    pub async fn decompress(&mut self) -> Result<(), Error> {
        self.flush().await?;
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Deflate(layer) => {
                let (stream, rest) = layer.into_parts();
                self.stream = stream;
                self.input.extend_from_slice(&rest);
            }
            other => self.stream = other,
        }
        Ok(())
    }

    /// Whether the bytes are compressed.
    pub fn is_compressed(&self) -> bool {
        self.stream.is_compressed()
    }

    fn handshake_limit(&self) -> Instant {
        let limit = Instant::now() + limits::TLS_HANDSHAKE;
        self.timeouts
            .deadline
            .get()
            .map_or(limit, |deadline| deadline.min(limit))
    }

    /// Sends what is written, says good-bye in TLS, and closes. Waits shortly for the peer to
    /// close too, because closing with unread input would reset the connection and take our
    /// last line with it. Never an error: the connection is over either way.
    pub async fn close(mut self) {
        self.unwatch_end();
        if self.flush().await.is_err() {
            return;
        }
        let until = Instant::now() + limits::LINGER;
        self.set_deadline(Some(until));
        let bye = Box::pin(async {
            if self.is_tls() {
                let _ = poll_fn(|cx| Pin::new(&mut self.stream).poll_close(cx)).await;
            }
            if let Some(socket) = self.stream.socket() {
                let _ = socket.get_ref().shutdown(Direction::Write);
            }
            let mut left = limits::LINGER_OCTETS;
            while left > 0 && self.fill().await.is_ok() {
                let n = self.buffer().len();
                self.consume(n);
                left = left.saturating_sub(n);
            }
            Ok(())
        });
        let _ = within(until, bye).await;
    }

    /// The bare stream and what was read ahead, for a library that buffers on its own. The
    /// limits are lost with the connection: to keep them, hand the `Conn` over itself, it
    /// is `AsyncRead + AsyncWrite`.
    pub fn into_stream(self) -> (Stream, Vec<u8>) {
        let ahead = self.buffer().to_vec();
        (self.stream, ahead)
    }
}

/// Why a handshake came to nothing.
fn no_tls(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::TimedOut {
        return Error::Deadline;
    }
    match Error::from(error) {
        Error::Io(e) => Error::Tls(e.to_string()),
        other => other,
    }
}

/// An address as people write it: IPv4-mapped IPv6 is IPv4.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// For libraries that want a stream (HTTP): what was read ahead first, then the stream, under
/// the same limits.
impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let ahead = this.buffer();
        if !ahead.is_empty() {
            let n = ahead.len().min(buf.len());
            if let (Some(to), Some(from)) = (buf.get_mut(..n), ahead.get(..n)) {
                to.copy_from_slice(from);
            }
            this.consume(n);
            return Poll::Ready(Ok(n));
        }
        ready!(this.poll_turn(cx));
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(done) => {
                this.waiting_since = None;
                Poll::Ready(done)
            }
            Poll::Pending => {
                this.busy = 0;
                this.release_buffers();
                this.poll_read_limits(cx).map(|e| Err(e.into()))
            }
        }
    }
}

/// Unbuffered: such libraries coalesce on their own.
impl AsyncWrite for Conn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(cx));
        let done = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.limit_write(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(cx));
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.limit_write(cx, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.limit_write(cx, done)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_close(cx);
        self.limit_write(cx, done)
    }
}

impl Conn {
    /// Puts the write limit on a poll of the stream.
    fn limit_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stalled_since = None;
            return done;
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        let at = since + self.timeouts.write.get();
        self.poll_until(cx, at)
            .map(|()| Err(Error::WriteStalled.into()))
    }
}
