//! What the /set of every type of small objects has in common: each is a record of the engine's that
//! holds a JSON object. All of a call is one commit, planned in the writer.
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Running;
use super::kind::{Few, Objects, done, object};
use super::set::Set;
use crate::jmap::context::Context;
use crate::jmap::wire::error::{MethodError, SetError};
use crate::jmap::wire::{json, patch};
use crate::mail::{DataType, Edit, Mail, Own, Record};

/// What a record holds.
pub type Data = Map<String, Value>;

/// A type of such objects.
pub trait Kind: Send + Sync {
    /// Its records.
    fn of(&self) -> DataType;
    /// How many there may be.
    fn most(&self) -> usize;
    /// Its properties.
    fn properties(&self) -> &'static [&'static str];
    /// Reads an id.
    fn to_id(&self, text: &str) -> Option<u64>;
    /// The value of a property as the client sees it.
    fn value(&self, id: u64, data: &Data, name: &str) -> Value;
    /// Whether there is such an object, to this client.
    fn is_seen(&self, data: &Data) -> bool;
    /// The data of a new object.
    fn create(&self, given: Data) -> Result<Data, SetError>;
    /// Sets a property to a value that it has not.
    fn set(&self, data: &mut Data, name: &str, value: Value) -> Result<(), SetError>;
    /// Whether one may go.
    fn may_go(&self, data: &Data) -> Result<(), SetError>;
}

/// The data of a record.
pub fn data(record: &Record) -> Option<Data> {
    serde_json::from_slice(&record.data).ok()
}

/// Octets of data.
pub fn octets(data: Data) -> Vec<u8> {
    Value::Object(data).to_string().into_bytes()
}

/// The objects of a type, as [`super::kind::Type::objects`] answers them: those that are `seen`.
pub fn objects<'a>(
    mail: &Mail,
    of: DataType,
    seen: &dyn Fn(&Data) -> bool,
    value: fn(u64, &Data, &str) -> Value,
) -> Running<'a, Box<dyn Objects>> {
    let all = match mail.records(of) {
        Ok(all) => all,
        Err(error) => return done(Err(error.into())),
    };
    let all = all.iter().filter_map(|it| Some((it.id, data(it)?)));
    Few::at_hand(all.filter(|(_, data)| seen(data)).collect(), value)
}

/// Does what a /set asks for, with this handle of the engine.
pub async fn set(
    context: &mut Context,
    mail: &Mail,
    set: &mut Set,
    kind: Arc<dyn Kind>,
) -> Result<(), MethodError> {
    let (mut names, mut made) = (Vec::new(), Vec::new());
    for (name, object) in std::mem::take(&mut set.create) {
        let created = match json::object(object, "it must be an object") {
            Ok(given) => kind.create(given.clone()).map(|data| (given, data)),
            Err(error) => Err(error),
        };
        match created {
            Ok((given, data)) => {
                names.push((name, given));
                made.push(data);
            }
            Err(error) => set.done.not_created(&name, error),
        }
    }
    set.settle(context);
    let mut plan = Plan {
        kind: Arc::clone(&kind),
        made: made.clone(),
        updates: std::mem::take(&mut set.update),
        destroy: std::mem::take(&mut set.destroy),
        edits: Vec::new(),
        full: 0,
        updated: Vec::new(),
        destroyed: Vec::new(),
    };
    let run = move |records: &[Record]| {
        plan.run(records);
        Ok((std::mem::take(&mut plan.edits), plan))
    };
    let edited = mail.edit_records(kind.of(), set.done.next(), run).await;
    let ((plan, ids), own) = edited?;
    set.done.own(&own);
    let fit = names.len() - plan.full;
    for (at, ((name, given), data)) in names.iter().zip(&made).enumerate() {
        let Some(id) = ids.get(at).filter(|_| at < fit) else {
            let full = SetError::new("overQuota").because("there are too many");
            set.done.not_created(name, full);
            continue;
        };
        // What the client does not know: the id, what it left to its default, and what was changed.
        let mut object = object(kind.properties(), &mut |name| kind.value(*id, data, name));
        object.retain(|name, value| given.get(name) != Some(value));
        set.done.made(context, name, Ok((object, Own::default())));
    }
    for (id, outcome) in plan.updated {
        set.done.changed(&id, outcome);
    }
    for (id, outcome) in plan.destroyed {
        set.done.gone(&id, outcome);
    }
    Ok(())
}

/// What is to be done, and what came of it.
struct Plan {
    kind: Arc<dyn Kind>,
    made: Vec<Data>,
    updates: Vec<(String, Value)>,
    destroy: Vec<String>,
    edits: Vec<Edit>,
    /// New ones for which there is no room.
    full: usize,
    updated: Vec<(String, Result<Data, SetError>)>,
    destroyed: Vec<(String, Result<(), SetError>)>,
}

impl Plan {
    /// In the writer.
    fn run(&mut self, records: &[Record]) {
        let room = self.kind.most().saturating_sub(records.len());
        self.full = self.made.len().saturating_sub(room);
        for data in std::mem::take(&mut self.made).into_iter().take(room) {
            self.edits.push(Edit::Create(octets(data)));
        }
        for (text, patch) in std::mem::take(&mut self.updates) {
            let outcome = match self.find(records, &text) {
                None => Err(SetError::new("notFound")),
                Some((id, data)) => self.update(id, data, patch),
            };
            self.updated.push((text, outcome));
        }
        for text in std::mem::take(&mut self.destroy) {
            let outcome = match self.find(records, &text) {
                None => Err(SetError::new("notFound")),
                Some((id, data)) => self.kind.may_go(&data).map(|()| {
                    self.edits.push(Edit::Destroy(id));
                }),
            };
            self.destroyed.push((text, outcome));
        }
    }

    fn find(&self, records: &[Record], text: &str) -> Option<(u64, Data)> {
        let wanted = self.kind.to_id(text)?;
        let record = records.iter().find(|record| record.id == wanted)?;
        let data = data(record).filter(|data| self.kind.is_seen(data))?;
        Some((wanted, data))
    }

    /// Properties that became something else than the client said.
    fn update(&mut self, id: u64, mut data: Data, patch: Value) -> Result<Data, SetError> {
        let before = data.clone();
        let mut told = Data::new();
        for (name, change) in patch::parse(patch)? {
            let value = change.whole(&name)?;
            // RFC 8620 §5.3: what cannot change may be sent as it is.
            if self.kind.value(id, &data, &name) == value {
                continue;
            }
            self.kind.set(&mut data, &name, value.clone())?;
            let now = self.kind.value(id, &data, &name);
            if now != value {
                told.insert(name, now);
            }
        }
        if data != before {
            self.edits.push(Edit::Update(id, octets(data)));
        }
        Ok(told)
    }
}
