//! What tasks await: the result of a point.

use crate::point::TaskId;
use futures::{
    FutureExt,
    channel::oneshot::{self, Receiver, Sender},
};
use std::{
    cell::RefCell,
    pin::Pin,
    task::{Context, Poll},
};

thread_local! {
    /// The number of points that each task waits for.
    static WAITS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Adds a task that waits for nothing yet.
pub fn add_task() {
    WAITS.with_borrow_mut(|waits| waits.push(0));
}

/// Forgets all tasks.
pub fn forget_tasks() {
    WAITS.with_borrow_mut(Vec::clear);
}

/// Whether a task waits for any point.
pub fn is_waiting(task: TaskId) -> bool {
    WAITS.with_borrow(|waits| waits[task] > 0)
}

/// The result of a point; `None` if there is none, since the other side was stopped.
pub struct Waiting<T> {
    answer: Receiver<T>,
    task: TaskId,
    over: bool,
}

impl<T> Waiting<T> {
    /// A point's sender, and what the task awaits.
    pub fn new(task: TaskId) -> (Sender<T>, Self) {
        let (sender, answer) = oneshot::channel();
        WAITS.with_borrow_mut(|waits| waits[task] += 1);
        (sender, Self { answer, task, over: false })
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.over, true) {
            WAITS.with_borrow_mut(|waits| waits[self.task] -= 1);
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
