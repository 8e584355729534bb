//! EmailSubmission/set (RFC 8621 §7.5).
use serde_json::{Map, Value};

use super::envelope::{self, Envelope, invalid_recipients};
use super::{Answer, PROPERTIES};
use crate::jmap::blob::Bytes;
use crate::jmap::context::Context;
use crate::jmap::method::email::{self, visible};
use crate::jmap::method::identity;
use crate::jmap::method::kind::object;
use crate::jmap::method::set::Set;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::{MethodError, SetError};
use crate::jmap::wire::id;
use crate::jmap::wire::json;
use crate::jmap::wire::patch::{self, Change};
use crate::limits;
use crate::mail::outbound::{self, Item, Wish};
use crate::mail::submission::{Delivered, Delivery, Submission, Undo};
use crate::mail::{DataType, Edit, EmailId, Error, Own, Record};
use crate::mime::header;
use crate::sys::clock;

/// EmailSubmission/set.
pub async fn set(context: &mut Context, mut args: Args) -> Answer {
    let mut set = Set::parse(context, &mut args, DataType::EmailSubmission)?;
    let mut after = After {
        update: args.object("onSuccessUpdateEmail")?.unwrap_or_default(),
        destroy: args.texts("onSuccessDestroyEmail")?.unwrap_or_default(),
        done: Vec::new(),
    };
    args.finish()?;
    after.check()?;
    for (name, given) in std::mem::take(&mut set.create) {
        match create(context, &set, given).await {
            Ok((made, email, own)) => {
                after.done.push((text(&made, "id"), email));
                set.done.made(context, &name, Ok((made, own)));
            }
            Err(error) => set.done.not_created(&name, error),
        }
    }
    set.settle(context);
    update_all(context, &mut set, &mut after).await?;
    destroy_all(context, &mut set, &mut after).await?;
    let answer = set.done.answer()?;
    after.run(context).await;
    Ok(answer)
}

fn text(map: &Map<String, Value>, name: &str) -> String {
    let text = map.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// What is to happen to the emails of those that succeed.
struct After {
    update: Map<String, Value>,
    destroy: Vec<String>,
    /// Submissions that succeeded, with their emails.
    done: Vec<(String, EmailId)>,
}

impl After {
    fn check(&self) -> Result<(), MethodError> {
        match self.update.len() + self.destroy.len() > limits::JMAP_SET {
            true => {
                Err(MethodError::new("requestTooLarge")
                    .because("more objects than maxObjectsInSet"))
            }
            false => Ok(()),
        }
    }

    /// The one implicit Email/set (RFC 8621 §7.5), if there is anything for it to do.
    async fn run(self, context: &mut Context) {
        let email = |context: &Context, key: &str| {
            let id = context.resolve(key);
            let done = self.done.iter().find(|(submission, _)| submission == id);
            done.map(|(_, email)| id::email(*email))
        };
        let mut updates: Map<String, Value> = Map::new();
        for (key, patch) in &self.update {
            let Some(id) = email(context, key) else {
                continue;
            };
            match (updates.get_mut(&id), patch) {
                // Two submissions of one email.
                (Some(Value::Object(before)), Value::Object(more)) => {
                    before.extend(more.clone());
                }
                _ => {
                    updates.insert(id, patch.clone());
                }
            }
        }
        let destroy: Vec<String> = self
            .destroy
            .iter()
            .filter_map(|key| email(context, key))
            .collect();
        email::implicit(context, updates, destroy).await;
    }
}

type Made = (Map<String, Value>, EmailId, Own);

async fn create(context: &Context, set: &Set, given: Value) -> Result<Made, SetError> {
    // To send is what an app password for SMTP may do, by whatever way.
    if !context.site.may_send {
        let why = "this app password is not for sending";
        return Err(SetError::new("forbiddenToSend").because(why));
    }
    let mut given = json::object(given, "a submission is an object")?;
    let named = given.clone();
    let take = |given: &mut Map<String, Value>, name: &str| -> Option<String> {
        let value = given.remove(name)?;
        Some(context.resolve(value.as_str()?).to_owned())
    };
    let wanted = take(&mut given, "identityId").and_then(|text| id::to_identity(&text));
    let identities = identity::all(context).await?;
    let identity = identities.iter().find(|it| Some(it.id) == wanted);
    let identity = identity.ok_or_else(|| SetError::property("identityId", "no such identity"))?;
    let email = take(&mut given, "emailId").and_then(|text| id::to_email(&text));
    let email = email.ok_or_else(|| SetError::property("emailId", "no such email"))?;
    let envelope = given.remove("envelope").unwrap_or(Value::Null);
    if let Some(name) = given.keys().next() {
        return Err(SetError::property(name, "set by the server, or unknown"));
    }
    let (thread, block) = read(context, email)?;
    if header::last(&block, "From").is_none() {
        return Err(SetError::new("invalidEmail")
            .because("a message that is sent needs a From field")
            .with("properties", vec!["from".to_owned()]));
    }
    let config = &context.site.ctx.config;
    let now = clock::now();
    let envelope = match envelope {
        Value::Null => envelope::made(&block, identity, config)?,
        object => envelope::given(object, now)?,
    };
    permit(context, &envelope)?;
    let send_at = envelope.release.unwrap_or(now);
    // When it was made, not when it leaves: what is asked for is told from a clock that was ahead by it.
    let item = Item::new(now)?;
    let waiting = |recipient: &outbound::Recipient| Delivery {
        address: recipient.address.to_string(),
        reply: "250 2.0.0 queued".into(),
        delivered: Delivered::Queued,
        displayed: false,
    };
    let submission = Submission {
        identity: identity.id,
        email,
        thread,
        send_at,
        item,
        undo: Undo::Pending,
        envelope: envelope.object.to_string(),
        deliveries: envelope.recipients.iter().map(waiting).collect(),
        reports: Vec::new(),
    };
    let queued = outbound::Envelope {
        sender: envelope.sender,
        envid: envelope.envid,
        full: envelope.full,
        // The queue's patience begins when it may begin.
        created: send_at,
        tls: match envelope.requiretls {
            true => Wish::Required,
            false => wish(&block),
        },
        ..outbound::Envelope::default()
    };
    let shown = submission.clone();
    let submitted = context
        .mail
        .submit(set.done.next(), submission, queued, envelope.recipients)
        .await;
    let (id, own) = submitted.map_err(|error| match error {
        Error::NoSuchEmail => SetError::property("emailId", "no such email"),
        Error::NoPermission => SetError::new("forbiddenToSend").because(&error.to_string()),
        error => error.into(),
    })?;
    let missing: Vec<&str> = PROPERTIES
        .into_iter()
        .filter(|name| named.get(*name).is_none_or(Value::is_null))
        .collect();
    let object = object(&missing, &mut |name| super::value(id, &shown, name));
    Ok((object, email, own))
}

/// What the header says of TLS: `TLS-Required: No`, once (RFC 8689 §3).
fn wish(block: &[u8]) -> Wish {
    let mut found = header::fields(block).filter(|field| field.is("TLS-Required"));
    let no = |field: header::Field<'_>| field.value.trim_ascii().eq_ignore_ascii_case(b"no");
    match (found.next().is_some_and(no), found.next()) {
        (true, None) => Wish::Optional,
        _ => Wish::Usual,
    }
}

/// The thread and the header of an email that can be seen.
fn read(context: &Context, email: EmailId) -> Result<(crate::mail::ThreadId, Vec<u8>), SetError> {
    let missing = || SetError::property("emailId", "no such email");
    let reader = context.mail.reader()?;
    let rows = visible(&reader, email)?;
    let thread = rows.first().ok_or_else(missing)?.thread;
    let message = reader.message(email)?;
    let message = message.ok_or_else(missing)?;
    drop(reader);
    let block = Bytes::whole(&message).run(0, message.header_len);
    let block = block.all(&context.mail, limits::JMAP_HEADER);
    Ok((thread, block?))
}

/// Whether this may be sent, and to all of these.
fn permit(context: &Context, envelope: &Envelope) -> Result<(), SetError> {
    let config = &context.site.ctx.config;
    let owns = |address: &crate::mail::address::Address| {
        config.owns(&format!("{}@{}", address.local(), address.domain()))
    };
    if envelope.sender.as_ref().is_some_and(|sender| !owns(sender)) {
        return Err(SetError::new("forbiddenMailFrom")
            .because("the sender address is not yours: use one of your own"));
    }
    let to = || envelope.recipients.iter().map(|to| &to.address);
    let unknown: Vec<String> = to()
        .filter(|to| config.is_own_domain(to.domain()) && !owns(to))
        .map(ToString::to_string)
        .collect();
    if !unknown.is_empty() {
        return Err(invalid_recipients(unknown));
    }
    if to().any(|to| !owns(to) && !config.has_way(to.domain())) {
        return Err(SetError::new("forbiddenToSend").because(
            "mail to other domains needs --smarthost HOST:PORT or --direct when the server starts",
        ));
    }
    Ok(())
}

/// The one thing that can change is that a submission is taken back.
async fn update_all(
    context: &mut Context,
    set: &mut Set,
    after: &mut After,
) -> Result<(), MethodError> {
    for (text, patch) in std::mem::take(&mut set.update) {
        let wanted = id::to_submission(&text);
        let all = context.mail.submissions()?;
        let found = all.into_iter().find(|(id, _)| Some(*id) == wanted);
        match update(context, set, found, patch).await {
            Ok((email, own)) => {
                set.done.own(&own);
                after.done.push((text.clone(), email));
                set.done.changed(&text, Ok(Map::new()));
            }
            Err(error) => set.done.not_updated(&text, error),
        }
    }
    Ok(())
}

async fn update(
    context: &Context,
    set: &Set,
    found: Option<(u64, Submission)>,
    patch: Value,
) -> Result<(EmailId, Own), SetError> {
    let (id, submission) = found.ok_or_else(|| SetError::new("notFound"))?;
    if !cancels(id, &submission, patch)? {
        return Ok((submission.email, Own::default()));
    }
    match context.mail.unsend(set.done.next(), id).await? {
        (true, own) => Ok((submission.email, own)),
        (false, _) => Err(SetError::new("cannotUnsend").because("it is on its way")),
    }
}

/// Whether a patch takes the submission back; anything else it can only leave as it is.
fn cancels(id: u64, submission: &Submission, patch: Value) -> Result<bool, SetError> {
    let mut cancel = false;
    for (name, change) in patch::parse(patch)? {
        match change {
            Change::Whole(new) if super::value(id, submission, &name) == new => {}
            Change::Whole(Value::String(new)) if name == "undoStatus" && new == "canceled" => {
                cancel = true;
            }
            _ => return Err(SetError::property(&name, "cannot be changed to this")),
        }
    }
    Ok(cancel)
}

/// Takes the records away; what is under way stays so (RFC 8621 §7.5).
async fn destroy_all(
    context: &mut Context,
    set: &mut Set,
    after: &mut After,
) -> Result<(), MethodError> {
    let ids = std::mem::take(&mut set.destroy);
    if ids.is_empty() {
        return Ok(());
    }
    let wanted: Vec<Option<u64>> = ids.iter().map(|id| id::to_submission(id)).collect();
    let plan = move |records: &[Record]| {
        let find = |id: &Option<u64>| records.iter().find(|record| Some(record.id) == *id);
        let found: Vec<Option<(u64, EmailId)>> = wanted
            .iter()
            .map(|id| {
                let record = find(id)?;
                Some((record.id, Submission::decode(&record.data)?.email))
            })
            .collect();
        let edits = found.iter().flatten().map(|(id, _)| Edit::Destroy(*id));
        Ok((edits.collect(), found))
    };
    let edited = context
        .mail
        .edit_records(DataType::EmailSubmission, set.done.next(), plan);
    let ((found, _), own) = edited.await?;
    set.done.own(&own);
    for (text, found) in ids.iter().zip(found) {
        if let Some((_, email)) = found {
            after.done.push((text.clone(), email));
        }
        let gone = found.map(|_| ()).ok_or_else(|| SetError::new("notFound"));
        set.done.gone(text, gone);
    }
    Ok(())
}
