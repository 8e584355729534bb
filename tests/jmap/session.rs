//! The Session resource (RFC 8620 §2).
use super::{Jmap, start};
use crate::harness::Server;
use pillarbox::config::Role;

#[test]
fn absolute_urls_and_limits() {
    let (server, mut jmap) = start();
    let answer = jmap.get("/.well-known/jmap");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.field("cache-control"),
        "no-cache, no-store, must-revalidate"
    );
    assert_eq!(answer.field("content-type"), "application/json");
    let session = answer.json();
    let base = format!("http://{}", server.addr(Role::Http));
    assert_eq!(session["apiUrl"], format!("{base}/jmap/api"));
    for name in ["downloadUrl", "uploadUrl", "eventSourceUrl"] {
        let url = session[name].as_str().unwrap();
        assert!(url.starts_with(&base) && url.contains('{'), "{url}");
    }
    for name in ["{accountId}", "{blobId}", "{type}", "{name}"] {
        assert!(session["downloadUrl"].as_str().unwrap().contains(name));
    }
    assert_eq!(session["username"], "anna");
    assert_eq!(session["accounts"]["a1"]["name"], "anna@example.org");
    assert_eq!(
        session["primaryAccounts"]["urn:ietf:params:jmap:mail"],
        "a1"
    );
    let core = &session["capabilities"]["urn:ietf:params:jmap:core"];
    for limit in [
        "maxSizeUpload",
        "maxConcurrentUpload",
        "maxSizeRequest",
        "maxConcurrentRequests",
        "maxCallsInRequest",
        "maxObjectsInGet",
        "maxObjectsInSet",
    ] {
        assert!(core[limit].as_u64().unwrap() > 0, "{limit}");
    }
    let state = session["state"].as_str().unwrap();
    let response = jmap.request(&["core"], serde_json::json!([]));
    assert_eq!(response["sessionState"], state);
    assert!(response.get("createdIds").is_none());
}

#[test]
fn public_url_by_flag() {
    let server = Server::with(|c| c.http.url = Some("https://mail.example.org/box".into()));
    let session = Jmap::new(&server).get("/jmap/session").json();
    assert_eq!(session["apiUrl"], "https://mail.example.org/box/jmap/api");
}

#[test]
fn over_tls() {
    let server = Server::start();
    let session = Jmap::on(&server, Role::Https)
        .get("/.well-known/jmap")
        .json();
    assert!(session["apiUrl"].as_str().unwrap().starts_with("https://"));
}
