//! Binary data: upload, download, and the octets behind a blob id (RFC 8620 §6).
mod bytes;

use std::rc::Rc;

use hyper::body::Bytes as Piece;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;

pub use bytes::{Blob, Bytes, open, scan, size, write};

use super::request::{turn, unread};
use super::site::Site;
use super::wire::id::{ACCOUNT, BlobId};
use crate::http::{Body, Exchange, Problem, Range, Response, parse_range, problem, url};
use crate::limits;
use crate::mail::{self, Mail};
use crate::sys::clock;

/// Answers a POST to the upload resource (RFC 8620 §6.1): the body streams into the engine.
pub async fn upload(exchange: Exchange<Site>) -> Response {
    match store(exchange).await {
        Ok(response) => response,
        Err(problem) => problem.into(),
    }
}

async fn store(exchange: Exchange<Site>) -> Result<Response, Problem> {
    account(&exchange)?;
    let site = Rc::clone(&exchange.site);
    let _turn = turn(&site.ctx.jmap.uploads, "maxConcurrentUpload").await?;
    let media = exchange
        .field("content-type")
        .unwrap_or("application/octet-stream")
        .to_owned();
    let largest = site.mail.message_size();
    let mut body = exchange
        .into_body(largest)
        .await
        .map_err(|error| unread(error, "maxSizeUpload"))?;
    let mut writer = site.mail.body(body.announced()).map_err(refused)?;
    while let Some(piece) = body
        .next()
        .await
        .map_err(|error| unread(error, "maxSizeUpload"))?
    {
        writer.push(&piece).await.map_err(refused)?;
    }
    let staged = writer.finish(&[]).await.map_err(refused)?;
    let size = staged.size();
    // Those whose time is over make room first; nothing else comes by here as often.
    site.mail
        .sweep_uploads(clock::now())
        .await
        .map_err(refused)?;
    let id = keep(&site.mail, staged).await.map_err(refused)?;
    let answer = json!({
        "accountId": ACCOUNT,
        "blobId": BlobId::whole(id).to_string(),
        "type": media,
        "size": size,
    });
    Ok(problem::json(StatusCode::CREATED, &answer))
}

/// Keeps an upload for as long as it is announced; sweeps those whose time is over.
pub async fn keep(mail: &Mail, staged: mail::Staged) -> mail::Result<mail::EmailId> {
    mail.sweep_uploads(clock::now()).await?;
    let expires = clock::now().saturating_add(limits::JMAP_UPLOAD_KEPT);
    mail.upload(staged, expires).await
}

fn account(exchange: &Exchange<Site>) -> Result<(), Problem> {
    match exchange.params.first().map(String::as_str) {
        Some(ACCOUNT) => Ok(()),
        _ => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "There is no account with this id.",
        )),
    }
}

/// What an engine error is to an upload or download.
fn refused(error: mail::Error) -> Problem {
    let detail = error.to_string();
    match error {
        mail::Error::TooLarge(_) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
            .kind("urn:ietf:params:jmap:error:limit")
            .limit("maxSizeUpload"),
        mail::Error::OverQuota | mail::Error::DiskFull => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail)
        }
        mail::Error::NoSuchEmail => Problem::new(StatusCode::NOT_FOUND, detail),
        mail::Error::NoPermission => Problem::new(StatusCode::FORBIDDEN, detail),
        _ => Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail),
    }
}

/// Answers a GET of the download resource (RFC 8620 §6.2).
pub async fn download(exchange: Exchange<Site>) -> Response {
    match fetch(&exchange).await {
        Ok(response) => response,
        Err(problem) => problem.into(),
    }
}

async fn fetch(exchange: &Exchange<Site>) -> Result<Response, Problem> {
    account(exchange)?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "There is no blob with this id.");
    let text = exchange.params.get(1).map_or("", String::as_str);
    let blob = open(&exchange.site.mail, text).await.map_err(refused)?;
    let blob = blob.ok_or_else(missing)?;
    let tag = format!("\"{}\"", blob.id);
    let head = describe(exchange, &tag);
    if exchange
        .field("if-none-match")
        .is_some_and(|tags| matches(tags, &tag))
    {
        return Ok(with(StatusCode::NOT_MODIFIED, head, Body::Full(None)));
    }
    // RFC 9110 §13.1.5: a range of another version is no use.
    let range = exchange.field("range").filter(|_| {
        exchange
            .field("if-range")
            .is_none_or(|wanted| wanted == tag)
    });
    let size = blob.size;
    match parse_range(range, size) {
        Range::Outside => {
            let mut response: Response =
                Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "The range is outside.").into();
            set(
                response.headers_mut(),
                header::CONTENT_RANGE,
                &format!("bytes */{size}"),
            );
            Ok(response)
        }
        Range::Whole => Ok(part(exchange, blob, head, 0, size, StatusCode::OK)),
        Range::Part(from, to) => {
            let mut response = part(exchange, blob, head, from, to, StatusCode::PARTIAL_CONTENT);
            let value = format!("bytes {from}-{}/{size}", to.saturating_sub(1));
            set(response.headers_mut(), header::CONTENT_RANGE, &value);
            Ok(response)
        }
    }
}

/// `If-None-Match`, compared weakly (RFC 9110 §13.1.2).
fn matches(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

fn with(status: StatusCode, head: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = head;
    response
}

fn part(
    exchange: &Exchange<Site>,
    blob: Blob,
    head: HeaderMap,
    from: u64,
    to: u64,
    status: StatusCode,
) -> Response {
    let length = to.saturating_sub(from);
    if exchange.method == Method::HEAD || length == 0 {
        let mut response = with(status, head, Body::Full(None));
        set(
            response.headers_mut(),
            header::CONTENT_LENGTH,
            &length.to_string(),
        );
        return response;
    }
    let bytes = blob.bytes.slice(from, length);
    let mail = std::sync::Arc::clone(&exchange.site.mail);
    let stream = smol::stream::unfold((bytes, mail), |(mut bytes, mail)| async move {
        match piece(&mut bytes, &mail) {
            Ok(piece) if piece.is_empty() => None,
            Ok(piece) => Some((Ok(Piece::from(piece)), (bytes, mail))),
            Err(error) => Some((Err(std::io::Error::other(error)), (bytes, mail))),
        }
    });
    with(status, head, Body::Stream(Box::pin(stream), Some(length)))
}

fn piece(bytes: &mut Bytes, mail: &Mail) -> Result<Vec<u8>, mail::Error> {
    let mut out = Vec::new();
    while out.is_empty() && bytes.next(mail, &mut out)? {}
    Ok(out)
}

/// The head of a download. What a blob holds came from anywhere, so nothing in it may act as a
/// page of ours: a fixed disposition, no sniffing, no scripts.
fn describe(exchange: &Exchange<Site>, tag: &str) -> HeaderMap {
    let mut head = HeaderMap::new();
    let media = exchange.query("type").filter(|t| is_media(t));
    set(
        &mut head,
        header::CONTENT_TYPE,
        media.as_deref().unwrap_or("application/octet-stream"),
    );
    let name = exchange.params.get(2).map_or("", String::as_str);
    set(&mut head, header::CONTENT_DISPOSITION, &disposition(name));
    set(&mut head, header::ETAG, tag);
    set(&mut head, header::ACCEPT_RANGES, "bytes");
    set(
        &mut head,
        header::CACHE_CONTROL,
        "private, immutable, max-age=31536000",
    );
    set(&mut head, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(
        &mut head,
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox",
    );
    head
}

fn set(head: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        head.insert(name, value);
    }
}

/// A media type with parameters as clients send them: one line of printable ASCII with a slash
/// between tokens.
fn is_media(text: &str) -> bool {
    let token = |t: &str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    text.len() <= 255
        && text.bytes().all(|b| (b' '..=b'~').contains(&b))
        && essence
            .split_once('/')
            .is_some_and(|(main, sub)| token(main) && token(sub))
}

/// `Content-Disposition` (RFC 6266) with the client's name, without a path and control characters.
fn disposition(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|c| !c.is_control())
        .map(|c| if c == '/' || c == '\\' { '_' } else { c })
        .take(200)
        .collect();
    if name.is_empty() {
        return "attachment".into();
    }
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii() && c != '"' && c != '%' {
                c
            } else {
                '_'
            }
        })
        .collect();
    if plain == name {
        return format!("attachment; filename=\"{plain}\"");
    }
    format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        url::encode(&name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(disposition("a.txt"), "attachment; filename=\"a.txt\"");
        assert_eq!(
            disposition("../a\r\n\"b\""),
            "attachment; filename=\".._a_b_\"; filename*=UTF-8''.._a%22b%22"
        );
        assert_eq!(
            disposition("ü"),
            "attachment; filename=\"_\"; filename*=UTF-8''%C3%BC"
        );
        assert_eq!(disposition(""), "attachment");
    }

    #[test]
    fn media() {
        assert!(is_media("text/plain; charset=utf-8") && is_media("image/svg+xml"));
        for bad in [
            "",
            "text",
            "text/",
            "text/plain\r\nX: y",
            "te xt/plain",
            "text/ü",
        ] {
            assert!(!is_media(bad), "{bad}");
        }
        assert!(matches("\"a\", W/\"b1\"", "\"b1\"") && matches("*", "\"x\""));
        assert!(!matches("\"a\"", "\"b\""));
    }
}
