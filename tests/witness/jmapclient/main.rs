//! The jmap-client crate: lists, syncs, reads, searches, flags, moves, composes, sends, is told.
use std::env::var;
use std::time::Duration;

use futures_util::StreamExt;
use jmap_client::client::Client;
use jmap_client::core::query::Filter;
use jmap_client::core::set::SetObject;
use jmap_client::email::{EmailBodyPart, Property, query};
use jmap_client::mailbox::{self, Role};
use jmap_client::{DataType, email, event_source::PushNotification};

type Try<T> = Result<T, Box<dyn std::error::Error>>;

async fn folder(client: &Client, role: Role) -> Try<String> {
    let filter = mailbox::query::Filter::role(role);
    let mut found = client.mailbox_query(Some(filter), None::<Vec<_>>).await?;
    Ok(found.take_ids().pop().ok_or("no such mailbox")?)
}

async fn within(client: &Client, mailbox: &str) -> Try<Vec<String>> {
    let filter = query::Filter::in_mailbox(mailbox);
    let sort = [query::Comparator::received_at().descending()];
    Ok(client.email_query(Some(filter), Some(sort)).await?.take_ids())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Try<()> {
    let (host, port, me) = (var("HOST")?, var("HTTP")?, var("ME")?);
    let client = Client::new()
        .credentials((var("LOGIN")?.as_str(), var("PASSWORD")?.as_str()))
        .follow_redirects([host.as_str()])
        .connect(&format!("http://{host}:{port}"))
        .await?;

    let inbox = folder(&client, Role::Inbox).await?;
    let archive = folder(&client, Role::Archive).await?;
    let drafts = folder(&client, Role::Drafts).await?;
    assert_eq!(within(&client, &inbox).await?.len(), 0);
    println!("lists: ok");

    let source = format!("From: {me}\r\nTo: {me}\r\nSubject: by the crate\r\n\r\nHello crate\r\n");
    let keywords = None::<Vec<String>>;
    let made = client.email_import(source.clone().into_bytes(), [&inbox], keywords, None).await?;
    let id = made.id().ok_or("no id")?.to_owned();
    let wanted = [Property::Subject, Property::Preview, Property::Keywords, Property::BlobId];
    let letter = client.email_get(&id, Some(wanted)).await?.ok_or("no email")?;
    assert_eq!(letter.subject(), Some("by the crate"));
    assert_eq!(letter.preview(), Some("Hello crate"));
    assert!(letter.keywords().is_empty());
    let raw = client.download(letter.blob_id().ok_or("no blob")?).await?;
    assert_eq!(raw, source.as_bytes());
    println!("reads, downloads: ok");

    let mut request = client.build();
    request.get_email().ids([&id]);
    let before = request.send_get_email().await?.take_state();
    client.email_set_keyword(&id, "$flagged", true).await?;
    client.email_set_mailboxes(&id, [&archive]).await?;
    let changes = client.email_changes(&before, None).await?;
    assert_eq!(changes.updated(), [id.clone()]);
    assert_eq!(within(&client, &inbox).await?.len(), 0);
    println!("flags, moves, syncs: ok");

    let filter = || {
        Filter::and([
            query::Filter::text("hello"),
            query::Filter::in_mailbox(&archive),
            query::Filter::has_keyword("$flagged"),
        ])
    };
    let found = client.email_query(Some(filter()), None::<Vec<_>>).await?.take_ids();
    assert_eq!(found, [id.clone()]);
    let snippets = client.search_snippet_get(Some(filter()), [&id]).await?;
    let preview = snippets.snippet(&id).and_then(|it| it.preview());
    assert_eq!(preview, Some("<mark>Hello</mark> crate"));
    println!("searches: ok");

    let types = [DataType::Email, DataType::Mailbox];
    let mut told = client.event_source(Some(types), false, Some(60), None).await?;
    let mut request = client.build();
    request.get_identity();
    let identity = request.send_get_identity().await?.take_list().pop().ok_or("no identity")?;
    let mut request = client.build();
    let draft = request.set_email().create();
    draft
        .mailbox_ids([&drafts])
        .keywords(["$draft"])
        .from([me.as_str()])
        .to([me.as_str()])
        .subject("to myself")
        .body_value("1".into(), "Hello me")
        .text_body(EmailBodyPart::new().part_id("1").content_type("text/plain"));
    let name = draft.create_id().ok_or("no creation id")?;
    let mut set = request.send_set_email().await?;
    let draft = set.created(&name)?.take_id();
    let since = set.take_new_state();
    let identity = identity.id().ok_or("no id")?;
    client.email_submission_create(&draft, identity).await?;
    println!("composes, sends: ok");

    // Told, until what was sent is there.
    let arrived = async {
        loop {
            let event = told.next().await.ok_or("the stream ended")??;
            let PushNotification::StateChange(change) = event else {
                continue;
            };
            assert!(change.has_type(DataType::Email) || change.has_type(DataType::Mailbox));
            if let [arrived] = within(&client, &inbox).await?.as_slice() {
                return Try::Ok(arrived.clone());
            }
        }
    };
    let arrived = tokio::time::timeout(Duration::from_secs(60), arrived).await??;
    let changes = client.email_changes(&since, None).await?;
    assert_eq!(changes.created(), [arrived.clone()]);
    let letter = client.email_get(&arrived, None::<Vec<email::Property>>).await?;
    assert_eq!(letter.ok_or("no email")?.subject(), Some("to myself"));
    println!("is told: ok");
    Ok(())
}
