//! Compressed answers (RFC 9110 §8.4.1.3), for JSON that is worth it. Nothing that a page of another
//! origin could mix with a secret is sent without the page's own credentials, so its length tells
//! nobody anything.
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use smol::stream::StreamExt;

use super::{Body, Response};

/// Shorter answers fit a packet as they are.
const WORTH: usize = 1200;

/// Compresses an answer, if the client takes that and it helps.
pub fn compress(request: &HeaderMap, response: &mut Response) {
    let head = response.headers();
    let json = head.get(CONTENT_TYPE).is_some_and(|media| {
        matches!(
            media.as_bytes(),
            b"application/json" | b"application/problem+json"
        )
    });
    if !json || head.contains_key(CONTENT_ENCODING) {
        return;
    }
    response
        .headers_mut()
        .append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if !accepts(request) {
        return;
    }
    let body = std::mem::replace(response.body_mut(), Body::Full(None));
    let packed = match body {
        Body::Full(Some(bytes)) if bytes.len() >= WORTH => match pack(&bytes) {
            Some(packed) => Body::from(packed),
            None => Body::Full(Some(bytes)),
        },
        Body::Stream(stream, None) => {
            let state = (stream, Some(encoder()));
            let pieces = smol::stream::unfold(state, |(mut stream, encoder)| async move {
                let mut encoder = encoder?;
                // Pieces of an answer are long; what the encoder keeps back goes with the next.
                while let Some(piece) = stream.next().await {
                    let written = piece.and_then(|piece| encoder.write_all(&piece));
                    if let Err(error) = written {
                        return Some((Err(error), (stream, None)));
                    }
                    let ready = std::mem::take(encoder.get_mut());
                    if !ready.is_empty() {
                        return Some((Ok(Bytes::from(ready)), (stream, Some(encoder))));
                    }
                }
                Some((encoder.finish().map(Bytes::from), (stream, None)))
            });
            Body::Stream(Box::pin(pieces), None)
        }
        other => other,
    };
    let encoded = match &packed {
        Body::Full(Some(bytes)) => bytes.starts_with(&[0x1f, 0x8b]),
        Body::Full(None) => false,
        Body::Stream(..) => true,
    };
    *response.body_mut() = packed;
    if encoded {
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}

fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = encoder();
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// RFC 9110 §12.5.3: named, and not with a weight of zero.
fn accepts(head: &HeaderMap) -> bool {
    let values = head.get_all(ACCEPT_ENCODING).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| {
            let mut parts = one.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let zero = parts.any(|q| {
                q.strip_prefix("q=")
                    .and_then(|q| q.parse::<f32>().ok())
                    .is_some_and(|q| q == 0.0)
            });
            matches!(name.to_ascii_lowercase().as_str(), "gzip" | "x-gzip") && !zero
        })
}
