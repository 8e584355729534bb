//! A compressed connection: DEFLATE both ways (RFC 1951, RFC 4978), over TCP or TLS.
//!
//! Every write is compressed as a whole and ends at an octet's boundary, so the peer can read all that
//! was said, and a compressor has nothing in it that belongs to a connection but memory of old
//! octets. A thread therefore keeps a few compressors for the connections that wrote last, and a
//! hundred idle clients cost none. What has to stay is the window of the peer's compressor (RFC 1951
//! §2: 32 KiB).
//!
//! What comes in is inflated straight into the reader's buffer, as much as it takes: memory does not
//! depend on what the octets inflate to.

use super::Stream;
use crate::limits;
use smol::io::{AsyncRead, AsyncWrite};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use zlib_rs::{DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

/// The fast end of the scale: a board's processor is slower than its network is narrow.
const LEVEL: i32 = 3;
/// 8 KiB of memory for old octets: responses resemble the ones just before.
const WINDOW: i32 = 13;
const MEMORY: i32 = 5;
/// The peer may use any window (RFC 4978 §4).
const PEER_WINDOW: u8 = 15;
/// Reads in a row that may bring nothing to inflate to.
const EMPTY: u32 = 4;

type Compressor = zlib_rs::Deflate;
/// Where a connection's compressor is while it has one.
type Slot = Rc<Place>;
type Place = Cell<Option<Box<Compressor>>>;

thread_local! {
    /// The connections that have a compressor, the one that wrote last at the end.
    static OWNERS: RefCell<VecDeque<Weak<Place>>> = const { RefCell::new(VecDeque::new()) };
}

/// The layer over a stream.
pub struct Deflate {
    inner: Stream,
    inflate: Inflate,
    /// Compressed octets from the peer, and how many of them are done with.
    input: Vec<u8>,
    taken: usize,
    /// The last call filled its buffer: there may be more without more input.
    more: bool,
    /// The peer has ended its stream.
    ended: bool,
    slot: Slot,
    /// Compressed octets for the peer, and how many of them have gone.
    output: Vec<u8>,
    sent: usize,
}

impl Deflate {
    /// Over `inner`, of which `ahead` has been read already.
    pub(super) fn new(inner: Stream, ahead: Vec<u8>) -> Deflate {
        Deflate {
            inner,
            inflate: Inflate::new(false, PEER_WINDOW),
            input: ahead,
            taken: 0,
            more: false,
            ended: false,
            slot: Rc::default(),
            output: Vec::new(),
            sent: 0,
        }
    }

    /// Takes the layer off: what was below, and what has been read from there and not inflated.
    pub(super) fn into_parts(self) -> (Stream, Vec<u8>) {
        let rest = self.input.get(self.taken..).unwrap_or_default().to_vec();
        (self.inner, rest)
    }

    /// What is below.
    pub(super) fn inner(&self) -> &Stream {
        &self.inner
    }

    /// Inflates what there is into `buf`.
    fn inflate(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let input = self.input.get(self.taken..).unwrap_or_default();
        let (read, wrote) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, buf, InflateFlush::SyncFlush)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(0);
        self.taken += count(self.inflate.total_in(), read);
        let got = count(self.inflate.total_out(), wrote);
        self.more = got == buf.len();
        self.ended |= status == Status::StreamEnd;
        if self.taken >= self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
        Ok(got)
    }

    /// Reads more compressed octets.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [0; limits::INFLATE_PIECE];
        match Pin::new(&mut self.inner).poll_read(cx, &mut piece) {
            Poll::Ready(Ok(n)) => {
                self.input
                    .extend_from_slice(piece.get(..n).unwrap_or_default());
                Poll::Ready(Ok(n))
            }
            Poll::Pending => {
                // An idle connection has no buffers.
                self.input = Vec::new();
                self.taken = 0;
                if self.output.is_empty() {
                    self.output = Vec::new();
                }
                Poll::Pending
            }
            other => other,
        }
    }

    /// Compresses all of `piece` into the output.
    fn deflate(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut compressor = take(&self.slot);
        let before = compressor.total_in();
        let mut left = piece;
        loop {
            let at = self.output.len();
            // Room for what does not compress, and for the mark at the end (RFC 1951 §3.2.4).
            self.output
                .resize(at + left.len() + left.len() / 64 + 64, 0);
            let room = self.output.get_mut(at..).unwrap_or_default();
            let wrote = compressor.total_out();
            let done = compressor.compress(left, room, DeflateFlush::SyncFlush);
            let n = usize::try_from(compressor.total_out() - wrote).unwrap_or(0);
            let full = n == room.len();
            self.output.truncate(at + n);
            done.map_err(|error| io::Error::other(error.as_str()))?;
            let used = usize::try_from(compressor.total_in() - before).unwrap_or(0);
            left = piece.get(used..).unwrap_or_default();
            if left.is_empty() && !full {
                break;
            }
        }
        give_back(&self.slot, compressor);
        Ok(())
    }

    /// Sends what is compressed.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.output.len() {
            let left = self.output.get(self.sent..).unwrap_or_default();
            match ready!(Pin::new(&mut self.inner).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        self.output.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

/// The slot's compressor, or another that has no memory.
fn take(slot: &Slot) -> Box<Compressor> {
    if let Some(own) = slot.take() {
        return own;
    }
    let old = OWNERS.with_borrow_mut(|owners| {
        owners.retain(|owner| owner.strong_count() > 0);
        let full = owners.len() >= limits::COMPRESSORS;
        let oldest = full.then(|| owners.pop_front()).flatten();
        oldest
            .and_then(|owner| owner.upgrade())
            .and_then(|slot| slot.take())
    });
    match old {
        Some(mut old) => {
            old.reset();
            old
        }
        None => Box::new(Compressor::new_with_config(DeflateConfig {
            level: LEVEL,
            window_bits: -WINDOW,
            mem_level: MEMORY,
            ..DeflateConfig::default()
        })),
    }
}

/// Puts it back, as the one used last.
fn give_back(slot: &Slot, compressor: Box<Compressor>) {
    slot.set(Some(compressor));
    OWNERS.with_borrow_mut(|owners| {
        let this = Rc::downgrade(slot);
        owners.retain(|owner| owner.strong_count() > 0 && !owner.ptr_eq(&this));
        owners.push_back(this);
    });
}

impl AsyncRead for Deflate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut empty = 0;
        loop {
            if (this.more || this.taken < this.input.len()) && !this.ended {
                let got = this.inflate(buf)?;
                if got > 0 {
                    return Poll::Ready(Ok(got));
                }
            }
            if this.ended || buf.is_empty() {
                return Poll::Ready(Ok(0));
            }
            empty += 1;
            if empty > EMPTY {
                // Blocks that hold nothing, one after another: others have their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if ready!(this.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(0));
            }
        }
    }
}

impl AsyncWrite for Deflate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        // One piece at a time: the peer's pace is ours.
        ready!(this.poll_drain(cx))?;
        let piece = buf.get(..limits::COMPRESS_PIECE).unwrap_or(buf);
        this.deflate(piece)?;
        // Whether it has gone already or not, it is taken.
        let _ = this.poll_drain(cx)?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressors_are_few_and_forget() {
        let slots: Vec<Slot> = (0..20).map(|_| Slot::default()).collect();
        for slot in &slots {
            let compressor = take(slot);
            give_back(slot, compressor);
        }
        let have = |slot: &Slot| {
            let compressor = slot.take();
            let there = compressor.is_some();
            slot.set(compressor);
            there
        };
        let kept: Vec<bool> = slots.iter().map(have).collect();
        assert_eq!(
            kept.iter().filter(|there| **there).count(),
            limits::COMPRESSORS
        );
        assert!(kept[20 - limits::COMPRESSORS..].iter().all(|there| *there));
        drop(slots);
        let slot = Slot::default();
        let compressor = take(&slot);
        give_back(&slot, compressor);
        assert_eq!(OWNERS.with_borrow(VecDeque::len), 1);
    }
}
