//! What tasks await: the result of a point.

use futures::{
    FutureExt,
    channel::oneshot::{self, Receiver, Sender},
};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

/// The number of points that a task waits for. It is atomic since the AWS client's connections have to be `Send`.
#[derive(Clone, Default)]
pub struct Waits(Arc<AtomicUsize>);

impl Waits {
    /// Whether the task waits for any point.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// The result of a point; `None` if there is none, since the other side was stopped.
pub struct Waiting<T> {
    answer: Receiver<T>,
    of_task: Waits,
    over: bool,
}

impl<T> Waiting<T> {
    /// A point's sender, and what the task awaits.
    pub fn new(of_task: Waits) -> (Sender<T>, Self) {
        let (sender, answer) = oneshot::channel();
        of_task.0.fetch_add(1, Ordering::Relaxed);
        (sender, Self { answer, of_task, over: false })
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.over, true) {
            self.of_task.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<T> Future for Waiting<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let polled = self.answer.poll_unpin(context).map(Result::ok);
        if polled.is_ready() {
            self.end();
        }
        polled
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.end();
    }
}
