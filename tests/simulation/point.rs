//! Scheduling points: what a task waits for, and what can happen to it.

use crate::{
    lambda::{Event, Invoked},
    network::{Reply, Sent},
    simulation::Simulation,
};
use futures::channel::oneshot::Sender;
use std::{cell::Cell, rc::Rc};

/// A task's number.
pub type TaskId = usize;

/// An actor: a client, an execution or a schedule, with the functions that it invokes. The exhaustive search counts
/// switches between actors.
pub type ActorId = usize;

/// Something that a task waits for. It happens when the scheduler chooses it.
pub struct Point {
    /// The number, in the order of creation.
    pub number: u64,
    /// The task that waits.
    pub task: TaskId,
    /// Its actor.
    pub actor: ActorId,
    /// A description for the trace.
    pub label: String,
    /// What the task is.
    pub by: By,
    /// The resources that it reads and writes.
    pub access: Access,
    /// What it is.
    pub kind: Kind,
}

/// What a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// An execution of a state machine, which may end at any state: it is stopped, or reaches its time limit.
    Execution,
    /// A function that finishes what nobody works on.
    Sweep,
    /// A client or another function.
    Other,
}

/// What a task waits for.
pub enum Kind {
    /// A request to the table, to the provider or to Step Functions. Without a reply, the request is under way although
    /// nobody waits for it any more.
    Request(Sent, Option<Sender<Reply>>),
    /// The invocation of a function.
    Invocation(&'static str, Event, Sender<Invoked>),
    /// The passing of time, to this number of milliseconds since 1970.
    Timer(u64, Sender<()>),
    /// A condition.
    Gate(Gate),
    /// A change in the world outside, such as a hold that lapses.
    Outside(Box<dyn FnOnce(&Simulation)>, Sender<()>),
}

/// A condition of the world.
pub type Condition = Rc<dyn Fn(&Simulation) -> bool>;

/// A condition that a task waits for.
pub struct Gate {
    /// The condition.
    pub condition: Condition,
    /// The resources that it depends on; anything if there are none.
    pub reads: Vec<String>,
    /// The task waits here.
    pub reply: Sender<()>,
    /// The last result, and the number of changes that it is of.
    last: Cell<Option<(u64, bool)>>,
}

impl Gate {
    /// A condition that nobody has looked at.
    pub fn new(condition: Condition, reads: Vec<String>, reply: Sender<()>) -> Self {
        Self { condition, reads, reply, last: Cell::default() }
    }

    fn is_open(&self, simulation: &Simulation) -> bool {
        match self.last.get() {
            Some((changes, open)) if changes == simulation.changes() => open,
            _ => {
                let open = (self.condition)(simulation);
                self.last.set(Some((simulation.changes(), open)));
                open
            }
        }
    }
}

/// The resources that a request reads and writes: partitions of the table, payments, executions.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The resources that it only reads.
    pub reads: Vec<String>,
    /// The resources that it changes.
    pub writes: Vec<String>,
}

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is carried out and answered.
    Proceed,
    /// It is refused: throttled.
    Throttle,
    /// It is refused: a transaction holds the item.
    Conflict,
    /// It is refused: an internal error of the service.
    Fail,
    /// It does not arrive.
    Unreachable,
    /// It is carried out, and its answer is lost.
    LoseAnswer,
    /// Its sender gives up waiting; it is carried out later.
    ArriveLate,
    /// Its sender crashes before sending it.
    Crash,
    /// It is carried out, and its sender crashes.
    CrashAfter,
    /// It reads what was there some writes ago.
    Stale,
}

/// Chooses what happens next.
pub trait Chooser {
    /// The index of one of the points, which can all happen now, and what happens at it. `None` abandons the run.
    fn choose(&mut self, simulation: &Simulation, points: &[&Point]) -> Option<(usize, Fate)>;
}

impl Fate {
    /// How the trace names it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Proceed => "ok",
            Self::Throttle => "throttled",
            Self::Conflict => "conflicts with a transaction",
            Self::Fail => "fails",
            Self::Unreachable => "does not arrive",
            Self::LoseAnswer => "is carried out, and its answer is lost",
            Self::ArriveLate => "gets no answer, and will arrive later",
            Self::Crash => "is not sent: the sender crashes",
            Self::CrashAfter => "is carried out, and the sender crashes",
            Self::Stale => "reads an earlier state",
        }
    }
}

impl Point {
    /// The faults that this point can have.
    pub fn faults(&self) -> &'static [Fate] {
        match &self.kind {
            Kind::Request(_, None) | Kind::Timer(..) | Kind::Gate(..) | Kind::Outside(..) => &[],
            Kind::Request(sent, Some(_)) if sent.can_conflict() => &[
                Fate::Throttle,
                Fate::Conflict,
                Fate::Fail,
                Fate::Unreachable,
                Fate::LoseAnswer,
                Fate::ArriveLate,
                Fate::Crash,
                Fate::CrashAfter,
            ],
            Kind::Request(sent, _) if self.by == By::Sweep && sent.can_be_stale() => {
                &[Fate::Throttle, Fate::Fail, Fate::Unreachable, Fate::LoseAnswer, Fate::Crash, Fate::Stale]
            }
            Kind::Request(..) => &[
                Fate::Throttle,
                Fate::Fail,
                Fate::Unreachable,
                Fate::LoseAnswer,
                Fate::ArriveLate,
                Fate::Crash,
                Fate::CrashAfter,
            ],
            Kind::Invocation(..) if self.by == By::Execution => {
                &[Fate::Throttle, Fate::Fail, Fate::LoseAnswer, Fate::Crash, Fate::CrashAfter]
            }
            Kind::Invocation(..) => &[Fate::Throttle, Fate::Fail, Fate::LoseAnswer],
        }
    }

    /// Whether it can happen now.
    pub fn is_enabled(&self, simulation: &Simulation) -> bool {
        match &self.kind {
            Kind::Gate(gate) => gate.is_open(simulation),
            _ => true,
        }
    }

    /// Whether it invokes a function.
    pub fn is_invocation(&self) -> bool {
        matches!(self.kind, Kind::Invocation(..))
    }

    /// Whether it lets time pass.
    pub fn is_timer(&self) -> bool {
        matches!(self.kind, Kind::Timer(..))
    }
}
