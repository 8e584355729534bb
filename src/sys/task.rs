//! What runs beside what. One type of task for the whole program: every other type that is run, raced or
//! joined would be code of its own.
use async_io::Timer;
use smol::LocalExecutor;
use smol::future::FutureExt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

/// Something to be done.
pub type Task<'a, T = ()> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Has it done beside all else.
pub fn spawn<'a>(executor: &LocalExecutor<'a>, task: Task<'a>) {
    executor.spawn(task).detach();
}

/// Does all of it, side by side.
pub async fn together(mut all: Vec<Task<'_>>) {
    poll_fn(|cx| {
        all.retain_mut(|task| task.as_mut().poll(cx).is_pending());
        match all.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// Does it, but no longer than to this instant.
///
/// # Errors
/// Its own, or [`io::ErrorKind::TimedOut`].
pub async fn within(until: Instant, task: Task<'_, io::Result<()>>) -> io::Result<()> {
    let late = async {
        Timer::at(until).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    task.or(late).await
}
