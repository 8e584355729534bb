//! Work that would keep others waiting, beside the thread that asks for it.
use super::lock;
use smol::Task;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// Work that is under way. Dropped before it began it is not done at all.
#[must_use = "nobody waits for it"]
pub struct Aside<T> {
    task: Task<()>,
    place: Arc<Mutex<Option<T>>>,
}

/// Does something long (derives keys, reads files, sorts) on a thread of smol's pool. A panic there is one of
/// whoever waits.
pub fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Aside<T> {
    let place = Arc::new(Mutex::new(None));
    let there = place.clone();
    let task = start(Box::new(move || {
        let done = work();
        *lock(&there) = Some(done);
    }));
    Aside { task, place }
}

/// A task is a dozen functions: they are made once, whatever the work gives.
fn start(work: Box<dyn FnOnce() + Send>) -> Task<()> {
    smol::unblock(work)
}

impl<T> Future for Aside<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match Pin::new(&mut self.task).poll(cx) {
            // It is there: the task ends behind it.
            Poll::Ready(()) => lock(&self.place).take().map_or(Poll::Pending, Poll::Ready),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_comes_and_a_panic_too() {
        assert_eq!(smol::block_on(aside(|| 6 * 7)), 42);
        let panics = || smol::block_on(aside(|| assert!(std::env::args().count() == 0)));
        assert!(std::panic::catch_unwind(panics).is_err());
    }
}
