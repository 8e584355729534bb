//! INPROGRESS: whoever waits for something long hears that it goes on (RFC 9585).

use super::answer::Stop;
use super::session::Session;
use super::wire::{self, encode};
use smol::Timer;
use smol::future::FutureExt;
use std::future::Future;
use std::pin::{Pin, pin};

/// How far something has come: the items done, and all of them.
pub type Count<'a> = &'a dyn Fn() -> (u32, u32);

impl Session {
    /// Awaits what may take long, between responses; every `limits::IMAP_PROGRESS` the client is told
    /// (RFC 9585 §4 recommends 10 to 15 seconds). `count` where items can be counted.
    pub(super) async fn patiently<T>(
        &mut self,
        count: Option<Count<'_>>,
        work: impl Future<Output = T>,
    ) -> Result<T, Stop> {
        let mut done = None;
        self.wait(count, pin!(async { done = Some(work.await) }))
            .await?;
        done.ok_or(Stop::Done)
    }

    async fn wait(
        &mut self,
        count: Option<Count<'_>>,
        mut work: Pin<&mut (dyn Future<Output = ()> + '_)>,
    ) -> Result<(), Stop> {
        let every = self.ctx.config.imap_progress;
        // At zero the first word comes before the wait, however soon the work is done.
        let mut at_once = every.is_zero();
        loop {
            let late = async {
                Timer::after(every).await;
                false
            };
            let done = async {
                work.as_mut().await;
                true
            };
            if !std::mem::take(&mut at_once) && done.or(late).await {
                return Ok(());
            }
            if self.offers("INPROGRESS") {
                self.tell_progress(count.map(|count| count()));
                self.conn.flush().await?;
            }
        }
    }

    /// `* OK [INPROGRESS ("A001" 454 1000)] still at it`
    fn tell_progress(&mut self, count: Option<(u32, u32)>) {
        // RFC 9585 §4: a tag with `]` cannot be in a response code.
        let tag = wire::tag_of(self.framer.command()).filter(|tag| !tag.contains(']'));
        let out = self.conn.out();
        out.extend_from_slice(b"* OK [INPROGRESS (");
        match tag {
            Some(tag) => encode::string(out, tag.as_bytes(), false),
            None => out.extend_from_slice(b"NIL"),
        }
        match count {
            // RFC 9585 §4: the goal is above what is done.
            Some((done, goal)) if goal > 0 => {
                let done = done.min(goal - 1);
                encode::formatted(out, format_args!(" {done} {goal})] {done} of {goal}\r\n"));
            }
            _ => out.extend_from_slice(b" NIL NIL)] still at it\r\n"),
        }
    }
}
