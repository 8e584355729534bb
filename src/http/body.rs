//! Bodies: responses in one piece or as a stream, requests within a bound.
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use smol::future::FutureExt;

use crate::limits;

/// Pieces of a response, made one at a time while the client takes them.
pub type Stream = Pin<Box<dyn smol::stream::Stream<Item = std::io::Result<Bytes>>>>;

/// The body of a response.
pub enum Body {
    /// Everything at once; `None` when nothing is left.
    Full(Option<Bytes>),
    /// Pieces, and how many octets are still to come when that is known.
    Stream(Stream, Option<u64>),
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::Full((!bytes.is_empty()).then(|| Bytes::from(bytes)))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.get_mut() {
            Body::Full(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Body::Stream(stream, left) => stream.as_mut().poll_next(cx).map(|item| {
                item.map(|piece| {
                    piece.map(|bytes| {
                        if let Some(left) = left {
                            *left = left.saturating_sub(bytes.len() as u64);
                        }
                        Frame::data(bytes)
                    })
                })
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Body::Stream(_, Some(left)) => SizeHint::with_exact(*left),
            Body::Stream(_, None) => SizeHint::default(),
        }
    }
}

/// Why a request body could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// It is longer than the bound given.
    TooLarge,
    /// Nothing came for [`limits::HTTP_STALL`].
    Stalled,
    /// The client went away, or its framing is broken.
    Broken,
}

/// The body of a request.
pub struct Upload {
    incoming: Incoming,
    left: u64,
}

impl Upload {
    /// Reads at most `max` octets from `incoming`; one more is [`ReadError::TooLarge`], found out
    /// before reading when the client announces the length.
    pub async fn new(mut incoming: Incoming, max: u64) -> Result<Upload, ReadError> {
        if incoming.size_hint().lower() > max {
            drain(&mut incoming, limits::HTTP_DRAIN).await;
            return Err(ReadError::TooLarge);
        }
        Ok(Upload {
            incoming,
            left: max,
        })
    }

    /// The length that the client announced, in octets.
    pub fn announced(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// The next piece, `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            let incoming = &mut self.incoming;
            let frame = std::future::poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx));
            let frame = async { Ok(frame.await) }.or(stalled()).await?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|_| ReadError::Broken)?;
            // Trailers say nothing that we ask for.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let Some(left) = self.left.checked_sub(data.len() as u64) else {
                drain(&mut self.incoming, limits::HTTP_DRAIN).await;
                return Err(ReadError::TooLarge);
            };
            self.left = left;
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// The whole body in one buffer.
    pub async fn all(mut self) -> Result<Vec<u8>, ReadError> {
        let mut out = Vec::with_capacity(self.announced().unwrap_or(0).min(self.left) as usize);
        while let Some(piece) = self.next().await? {
            out.extend_from_slice(&piece);
        }
        Ok(out)
    }
}

/// Reads a body away, so that a client that is still sending sees the answer instead of a reset:
/// at most `max` octets, and for [`limits::HTTP_DRAIN_TIME`] seconds.
pub(super) async fn drain(incoming: &mut Incoming, max: u64) {
    let read = async {
        let mut left = max;
        while left > 0 {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx)).await;
            let Some(Ok(frame)) = frame else { return };
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        }
    };
    let late = async {
        smol::Timer::after(Duration::from_secs(limits::HTTP_DRAIN_TIME)).await;
    };
    read.or(late).await;
}

async fn stalled<T>() -> Result<T, ReadError> {
    smol::Timer::after(Duration::from_secs(limits::HTTP_STALL)).await;
    Err(ReadError::Stalled)
}
