//! The loop: tasks run until they wait for points, and a chooser picks one of these.

use super::{LONGEST_PAUSE, MOST_STEPS, RUNTIME, Simulation, Task};
use crate::{
    point::{Chooser, Kind, Point, TaskId},
    run::Ending,
};
use futures::{FutureExt, channel::oneshot::Sender, task::waker};
use std::{
    sync::{Arc, atomic::Ordering},
    task::Context,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

impl Simulation {
    /// Runs until nothing is left to happen.
    pub fn run(&self, chooser: &mut dyn Chooser) -> Ending {
        RUNTIME.with(|runtime| {
            let _entered = runtime.enter();
            for _ in 0..MOST_STEPS {
                self.settle_in(runtime);
                let picked = {
                    let points = self.0.points.borrow();
                    let enabled = points.iter().filter(|point| point.is_enabled(self));
                    let enabled: Vec<&Point> = enabled.collect();
                    if enabled.is_empty() {
                        return Ending::Quiet;
                    }
                    let Some((index, fate)) = chooser.choose(self, &enabled) else {
                        return Ending::Abandoned;
                    };
                    (enabled[index].number, fate)
                };
                self.happen(picked.0, picked.1);
            }
            Ending::Endless
        })
    }

    /// Lets all tasks run until they wait for points only.
    pub fn settle(&self) {
        RUNTIME.with(|runtime| {
            let _entered = runtime.enter();
            self.settle_in(runtime);
        });
    }

    fn settle_in(&self, runtime: &Runtime) {
        let mut paused_since = None;
        loop {
            let count = self.0.tasks.borrow().len();
            let mut polled = false;
            for task in 0..count {
                polled |= self.poll(task);
            }
            if polled {
                continue;
            }
            // A task that waits for none of the simulation's points waits for a real timer.
            let pausing = (0..count).find(|task| {
                let tasks = self.0.tasks.borrow();
                tasks[*task].future.is_some() && !tasks[*task].waits.any()
            });
            let Some(pausing) = pausing else { break };
            let since = *paused_since.get_or_insert_with(Instant::now);
            let name = self.0.tasks.borrow()[pausing].name.clone();
            assert!(since.elapsed() < LONGEST_PAUSE, "{name} waits for nothing that the simulation knows");
            runtime.block_on(tokio::time::sleep(Duration::from_millis(1)));
        }
        self.find_orphans();
    }

    /// Polls a task that was woken. Returns whether it was.
    fn poll(&self, task: TaskId) -> bool {
        let (mut future, woken) = {
            let mut tasks = self.0.tasks.borrow_mut();
            let Task { future, woken, .. } = &mut tasks[task];
            if future.is_none() || !woken.0.swap(false, Ordering::Relaxed) {
                return false;
            }
            (future.take().expect("a task that runs"), Arc::clone(woken))
        };
        self.0.running.set(task);
        let waker = waker(woken);
        if future.poll_unpin(&mut Context::from_waker(&waker)).is_pending() {
            self.0.tasks.borrow_mut()[task].future = Some(future);
        }
        true
    }

    /// Requests whose sender no longer waits may still arrive; nothing else that was asked for happens any more.
    pub(super) fn find_orphans(&self) {
        self.0.points.borrow_mut().retain_mut(|point| match &mut point.kind {
            Kind::Request(_, reply) => {
                if reply.as_ref().is_some_and(Sender::is_canceled) {
                    *reply = None;
                }
                true
            }
            Kind::Invocation(.., sender) => !sender.is_canceled(),
            Kind::Gate(gate) => !gate.reply.is_canceled(),
            Kind::Timer(_, sender) | Kind::Outside(_, sender) => !sender.is_canceled(),
        });
    }
}
