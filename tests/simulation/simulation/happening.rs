//! What happens when a point is chosen: a request is carried out or refused, a function begins, time passes.

use super::{Simulation, beginning};
use crate::{
    lambda::{self, Event, Failed, Invoked},
    network::{Reply, Sent, Unanswered},
    point::{ActorId, Fate, Gate, Kind, Point, TaskId},
};
use futures::channel::oneshot::Sender;

/// The time limits of functions, in milliseconds: of one that answers a request, and of all others.
const REQUEST_TIMEOUT_MS: u64 = 10_000;
const FUNCTION_TIMEOUT_MS: u64 = 30_000;

/// How long a request is under way at most, in milliseconds.
const LATEST_ARRIVAL_MS: u64 = 20_000;

impl Simulation {
    /// What the chooser decided for the point of this number.
    pub fn happen(&self, number: u64, fate: Fate) {
        let point = self.take(number, fate);
        let reply = match &point.kind {
            Kind::Request(sent, _) => self.carry_out(sent, fate),
            _ => None,
        };
        self.go_on(point, fate, reply);
    }

    /// The same, where the reply to a request is known from another run. The world does not change.
    pub fn happen_again(&self, number: u64, fate: Fate, reply: Option<Reply>) {
        let point = self.take(number, fate);
        self.go_on(point, fate, reply);
    }

    fn take(&self, number: u64, fate: Fate) -> Point {
        let point = {
            let mut points = self.0.points.borrow_mut();
            let index = points.iter().position(|point| point.number == number).expect("a point");
            points.remove(index)
        };
        self.0.clock.set(self.0.clock.get() + self.0.step_ms);
        self.note(&point, fate);
        if !point.access.writes.is_empty() || matches!(point.kind, Kind::Outside(..)) {
            self.0.changes.set(self.0.changes.get() + 1);
        }
        point
    }

    /// What a request does to the world, and its reply; `None` if its sender crashes.
    pub fn carry_out(&self, sent: &Sent, fate: Fate) -> Option<Reply> {
        match fate {
            Fate::Proceed => Some(Ok(sent.carry_out(self))),
            Fate::Stale => Some(Ok(sent.read_replica(self))),
            Fate::Throttle | Fate::Conflict | Fate::Fail => Some(Ok(sent.refused(fate, self))),
            Fate::Unreachable => Some(Err(Unanswered::Reset)),
            Fate::LoseAnswer => {
                sent.carry_out(self);
                Some(Err(Unanswered::Reset))
            }
            Fate::ArriveLate => Some(Err(Unanswered::TimedOut)),
            Fate::Crash => None,
            Fate::CrashAfter => {
                sent.carry_out(self);
                None
            }
        }
    }

    fn go_on(&self, point: Point, fate: Fate, reply: Option<Reply>) {
        let Point { task, actor, kind, label, by, access, .. } = point;
        match kind {
            Kind::Request(sent, sender) => {
                if fate == Fate::ArriveLate {
                    let number = self.0.next_point.replace(self.0.next_point.get() + 1);
                    let kind = Kind::Request(sent, None);
                    self.0.points.borrow_mut().push(Point { number, task, actor, label, by, access, kind });
                }
                match reply {
                    Some(reply) => drop(sender.map(|sender| sender.send(reply))),
                    None => self.stop(task),
                }
            }
            Kind::Invocation(..) if fate == Fate::Crash => self.stop(task),
            Kind::Invocation(function, event, reply) => {
                self.begin(actor, function, event, reply, fate);
                if fate == Fate::CrashAfter {
                    self.stop(task);
                }
            }
            Kind::Timer(due, reply) => {
                self.pass_to(due);
                let _ = reply.send(());
            }
            Kind::Gate(Gate { reply, .. }) => drop(reply.send(())),
            Kind::Outside(change, reply) => {
                change(self);
                let _ = reply.send(());
            }
        }
    }

    fn note(&self, point: &Point, fate: Fate) {
        let time = self.0.clock.get() - beginning();
        self.0.trace.borrow_mut().note(time, &self.0.tasks.borrow()[point.task].name, point, fate);
    }

    fn begin(
        &self,
        actor: ActorId,
        function: &'static str,
        event: Event,
        reply: Sender<Invoked>,
        fate: Fate,
    ) {
        let refused = match fate {
            Fate::Throttle => Some("Lambda.TooManyRequestsException"),
            Fate::Fail => Some("Lambda.ServiceException"),
            _ => None,
        };
        if let Some(error) = refused {
            let _ = reply.send(Err(Failed::of_lambda(error)));
            return;
        }
        let handler = lambda::function(function);
        let of_actor = &self.0.actors.borrow()[actor];
        let earlier = format!("{of_actor}: {function} #");
        let earlier = self.0.tasks.borrow().iter().filter(|task| task.name.starts_with(&earlier)).count();
        let name = format!("{of_actor}: {function} #{}", earlier + 1);
        let mut reply = Some(reply);
        if fate == Fate::LoseAnswer
            && let Some(reply) = reply.take()
        {
            let _ = reply.send(Err(Failed::of_lambda("Lambda.ClientExecutionTimeoutException")));
        }
        let limit = if matches!(event, Event::Http(_)) { REQUEST_TIMEOUT_MS } else { FUNCTION_TIMEOUT_MS };
        self.spawn(actor, name, Some(limit), async move {
            let result = handler(event).await;
            if let Some(reply) = reply {
                let _ = reply.send(result);
            }
        });
    }

    /// Stops a function, whose process ends, or an execution; a function that it has invoked goes on.
    fn stop(&self, task: TaskId) {
        let (stopped, name) = {
            let task = &mut self.0.tasks.borrow_mut()[task];
            (task.future.take(), task.name.clone())
        };
        drop(stopped);
        if let Some(status) = self.executions().get_mut(&name) {
            *status = "ABORTED";
        }
    }

    /// Lets time pass. Functions that reach their time limit are stopped; requests that are under way for long arrive.
    pub fn pass_to(&self, due: u64) {
        let count = self.0.tasks.borrow().len();
        for task in 0..count {
            if self.0.tasks.borrow()[task].expires <= due {
                self.stop(task);
            }
        }
        if self.0.clock.get() + LATEST_ARRIVAL_MS < due {
            self.find_orphans();
            let is_late = |point: &&Point| matches!(point.kind, Kind::Request(_, None));
            let late: Vec<u64> =
                self.0.points.borrow().iter().filter(is_late).map(|point| point.number).collect();
            for number in late {
                self.happen(number, Fate::Proceed);
            }
        }
        self.0.clock.set(self.0.clock.get().max(due));
    }
}
