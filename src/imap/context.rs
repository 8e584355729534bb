//! Searches that go on: what enters and leaves their results is told as it happens (RFC 5267 §4.3).
//!
//! A context keeps its criteria and its results, as runs of UIDs or, where it is sorted, as a list.
//! Nothing else is remembered: changes are tried against the criteria when the client is told of
//! them, and where a message belongs in a sorted list is found by looking at some of its neighbours.

use super::answer::{Answer, Stop};
use super::command::criteria::Program;
use super::command::fetch;
use super::command::found::{Found, Head, set};
use super::session::Session;
use super::wire::fetch::Item;
use super::wire::search::Options;
use super::wire::{Numbers, encode};
use crate::limits;
use crate::mail::{Criterion, Order, Reached, UidSet};
use crate::sys::clock;

/// A search with UPDATE.
#[derive(Clone, Debug)]
pub struct Context {
    tag: String,
    numbers: Numbers,
    program: Program,
    /// What to tell of new messages that enter it (RFC 5465 §7).
    fetch: Vec<Item>,
    /// How the results are sorted, if they are.
    order: Option<Order>,
    /// Its results, as UIDs.
    results: Found,
    /// When all of them were last looked at: time alone may change them (RFC 5032 §2).
    looked: u32,
}

/// A change to tell: what, and at which place of the list.
struct Change {
    name: &'static str,
    pairs: Vec<(u32, Found)>,
}

impl Session {
    /// RFC 5267 §4.3: a tag that a context has cannot be used for another one.
    pub(super) fn check_context(&self, tag: &str, options: Option<Options>) -> Result<(), Stop> {
        if !options.is_some_and(|options| options.update) {
            return Ok(());
        }
        let contexts = &self.selected()?.contexts;
        match contexts.iter().any(|context| context.tag == tag) {
            true => Answer::bad("a search with this tag is being updated").stop(),
            false => Ok(()),
        }
    }

    /// Keeps a search up to date from here on, or says that it will not (RFC 5267 §4.3.1).
    pub(super) fn keep_context(
        &mut self,
        tag: &str,
        numbers: Numbers,
        mut program: Program,
        fetch: &[Item],
        order: Option<Order>,
        results: Found,
    ) -> Result<(), Stop> {
        let kept = match &results {
            Found::Set(set) => set.runs().len() <= limits::IMAP_CONTEXT_RUNS,
            Found::List(list) => list.len() <= limits::IMAP_CONTEXT_LIST,
        };
        // How relevant a message is says nothing about its place once others come and go.
        let stable = order
            .as_ref()
            .is_none_or(|order| !order.has(Criterion::Relevancy));
        let selected = self.selected_mut()?;
        if !kept || !stable || selected.contexts.len() >= limits::IMAP_CONTEXTS {
            let mut text = b"* NO [NOUPDATE ".to_vec();
            encode::string(&mut text, tag.as_bytes(), false);
            text.extend_from_slice(b"] this search will not be updated");
            self.line(&String::from_utf8_lossy(&text));
            return Ok(());
        }
        // RFC 5267 §4.3: message numbers mean what they meant when the command came.
        program.freeze(selected);
        let context = Context {
            tag: tag.to_owned(),
            numbers,
            program,
            fetch: fetch.to_vec(),
            order,
            results,
            looked: clock::now(),
        };
        selected.contexts.push(context);
        Ok(())
    }

    /// Tells which results are gone: before EXPUNGE, while their numbers are valid (RFC 5267 §4.3.4).
    pub(super) async fn tell_contexts_gone(&mut self) -> Result<(), Stop> {
        let selected = self.selected_mut()?;
        if selected.contexts.is_empty() || !selected.has_gone() {
            return Ok(());
        }
        let gone = selected.gone().clone();
        let mut contexts = std::mem::take(&mut selected.contexts);
        for context in &mut contexts {
            let change = context.remove(&gone);
            self.tell_change(context, change).await?;
        }
        self.selected_mut()?.contexts = contexts;
        Ok(())
    }

    /// Tells which of the messages that changed or came enter or leave the results.
    pub(super) async fn tell_contexts(
        &mut self,
        touched: &UidSet,
        fresh: &UidSet,
    ) -> Result<(), Stop> {
        let selected = self.selected_mut()?;
        if selected.contexts.is_empty() {
            return Ok(());
        }
        let mut contexts = std::mem::take(&mut selected.contexts);
        for context in &mut contexts {
            self.update(context, touched, fresh).await?;
        }
        self.selected_mut()?.contexts = contexts;
        Ok(())
    }

    async fn update(
        &mut self,
        context: &mut Context,
        touched: &UidSet,
        fresh: &UidSet,
    ) -> Result<(), Stop> {
        let now = clock::now();
        let aged = now.saturating_sub(context.looked) >= limits::IMAP_CONTEXT_CLOCK;
        let selected = self.selected()?;
        let mailbox = selected.mailbox;
        let touched = touched.or(fresh);
        let touched = match context.program.key.uses_clock() && aged {
            true => selected.uids().clone(),
            false => touched.and(selected.uids()),
        };
        if touched.is_empty() {
            return Ok(());
        }
        context.looked = if aged { now } else { context.looked };
        context.program.refresh(&self.mail());
        let query = context.program.of_selected(self)?;
        let mail = self.mail();
        let holds = mail
            .search(mailbox, &touched, query, &Reached::default())
            .await?;
        let before = context.results.set();
        let change = context.remove(&before.and(&touched).minus(&holds));
        self.tell_change(context, change).await?;
        let entered = holds.minus(&before);
        let new = entered.and(fresh);
        if !new.is_empty() && !context.fetch.is_empty() {
            // RFC 5465 §7: EXISTS, FETCH, and then ESEARCH.
            Box::pin(fetch::unasked(self, &new, context.fetch.clone())).await?;
        }
        let change = self.add(context, entered)?;
        self.tell_change(context, change).await
    }

    fn add(&self, context: &mut Context, fresh: UidSet) -> Result<Change, Stop> {
        let mut pairs = Vec::new();
        match (&mut context.results, &context.order) {
            (Found::List(list), Some(order)) => {
                let (mail, mailbox) = (self.mail(), self.selected()?.mailbox);
                for uid in fresh.iter() {
                    let Some(place) = mail.place(mailbox, list, uid, order)? else {
                        continue;
                    };
                    list.insert(place.min(list.len()), uid);
                    pairs.push((position(place), Found::List(vec![uid])));
                }
            }
            (Found::Set(results), _) if !fresh.is_empty() => {
                *results = results.or(&fresh);
                pairs.push((0, Found::Set(fresh)));
            }
            _ => {}
        }
        Ok(Change {
            name: "ADDTO",
            pairs,
        })
    }

    /// `* ESEARCH (TAG "B01") UID ADDTO (0 32768:32769)`
    async fn tell_change(&mut self, context: &Context, change: Change) -> Result<(), Stop> {
        if change.pairs.is_empty() {
            return Ok(());
        }
        let utf8 = self.enabled.utf8;
        let head = Head {
            tag: &context.tag,
            mailbox: None,
            uid: context.numbers == Numbers::Uid,
        };
        let out = self.conn.out();
        head.write(out, utf8);
        encode::formatted(out, format_args!(" {} (", change.name));
        for (i, (place, found)) in change.pairs.into_iter().enumerate() {
            let found = match context.numbers {
                Numbers::Uid => found,
                Numbers::Sequence => found.numbers(self.selected()?),
            };
            let out = self.conn.out();
            if i > 0 {
                out.push(b' ');
            }
            encode::formatted(out, format_args!("{place} "));
            set(self, &found).await?;
        }
        self.line(")");
        Ok(self.conn.spill().await?)
    }
}

/// A place in a list, as the client counts.
fn position(place: usize) -> u32 {
    u32::try_from(place + 1).unwrap_or(u32::MAX)
}

impl Context {
    /// The tag of the search.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Takes messages out of the results.
    fn remove(&mut self, uids: &UidSet) -> Change {
        let mut pairs = Vec::new();
        match &mut self.results {
            Found::Set(results) => {
                let gone = results.and(uids);
                if !gone.is_empty() {
                    *results = results.minus(&gone);
                    pairs.push((0, Found::Set(gone)));
                }
            }
            Found::List(list) => {
                // Each place is the one after those before it are gone.
                let mut place = 0;
                list.retain(|uid| {
                    let gone = uids.contains(*uid);
                    match gone {
                        true => pairs.push((position(place), Found::List(vec![*uid]))),
                        false => place += 1,
                    }
                    !gone
                });
            }
        }
        Change {
            name: "REMOVEFROM",
            pairs,
        }
    }
}
