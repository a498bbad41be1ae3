//! Price experiments: their states, and what may change in each of them.

use crate::{
    Error, Fault, FaultLocation, Timestamp, Version,
    experiment_draft::{ExperimentDraft, Metric, OPTIONAL, VariantPrice},
    id::{ExperimentId, UserId},
    input::{MergePatch, Revisable},
    share::Share,
    user::Caller,
    version::Seen,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The state of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExperimentStatus {
    /// It is being written, and no visitor is in it.
    Draft,
    /// Visitors see the prices of their variants.
    Running,
    /// It is over, for good.
    Stopped,
}

/// Who stopped an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StoppedBy {
    /// Its seller.
    Seller,
    /// Its `stopsAt`.
    Schedule,
    /// A guardrail that became worse.
    Guardrail,
}

/// Why an experiment did not start at its `startsAt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartFault {
    /// The JSON Pointer of the faulty member.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl From<Fault> for StartFault {
    fn from(Fault { location, detail }: Fault) -> Self {
        let pointer = if let FaultLocation::Body(pointer) = location { pointer } else { String::new() };
        Self { pointer, detail }
    }
}

/// A price experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Experiment {
    /// The id.
    pub experiment_id: ExperimentId,
    /// The seller, who alone may see and change it.
    pub owner_id: UserId,
    /// The fields that the seller wrote.
    #[serde(flatten)]
    pub draft: ExperimentDraft,
    /// The state.
    pub status: ExperimentStatus,
    /// The key of the variant whose prices the products got when the experiment was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<String>,
    /// The products' own prices, since the start: the prices of the control.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_prices: Vec<VariantPrice>,
    /// The version, for optimistic locking.
    pub version: Version,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// When it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// Who stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StoppedBy>,
    /// Why it did not start at its `startsAt`. A change makes it try again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start_faults: Vec<StartFault>,
}

/// What a change does to the products of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExperimentEffect {
    /// Nothing changes at all.
    Nothing,
    /// A draft is checked against its products.
    Check,
    /// The products are not concerned.
    None,
    /// Each product gets the overlay.
    Start,
    /// Each product that has the overlay gets another one.
    Rise,
    /// Each product that has the overlay loses it, and gets the winner's price if there is a winner.
    Stop,
}

/// The next version of an experiment, and what it does to its products.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentChange {
    /// The next version; the same version if nothing changes.
    pub experiment: Experiment,
    /// What it does to the products.
    pub effect: ExperimentEffect,
}

const NO_EXPERIMENT: Error = Error::NotFound { what: "experiment" };

impl Experiment {
    /// A new draft of the caller.
    pub fn new(experiment_id: ExperimentId, caller: &Caller, draft: ExperimentDraft, now: Timestamp) -> Self {
        Self {
            experiment_id,
            owner_id: caller.user_id,
            draft,
            status: ExperimentStatus::Draft,
            winner: None,
            control_prices: Vec::new(),
            version: 1,
            created_at: now,
            updated_at: now,
            started_at: None,
            stopped_at: None,
            stopped_by: None,
            start_faults: Vec::new(),
        }
    }

    /// Checks that the caller may see the experiment: else it does not exist for them.
    pub fn owned_by(&self, caller: &Caller) -> Result<(), Error> {
        if self.owner_id == caller.user_id { Ok(()) } else { Err(NO_EXPERIMENT) }
    }

    /// The next version, by a merge patch of the caller. `Stale` unless `seen` names the current version.
    pub fn change(
        &self,
        caller: &Caller,
        mut patch: MergePatch,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<ExperimentChange, Error> {
        self.owned_by(caller)?;
        let mut faults = Vec::new();
        let status = patch.take("status").map_or(Some(self.status), |value| {
            let status = serde_json::from_value(value).ok();
            if status.is_none() {
                faults.push(Fault::here("must be draft, running or stopped").under("status"));
            }
            status
        });
        let winner = patch.take("winner");
        let current = Revisable { draft: &self.draft, version: self.version, optional: &OPTIONAL };
        let draft = match patch.revise(&current, seen, ExperimentDraft::read) {
            Ok((draft, _)) => Some(draft),
            Err(Error::Invalid(found)) => {
                faults.splice(0..0, found);
                None
            }
            Err(error) => return Err(error),
        };
        let winner = self.winner_after(winner, status, &mut faults);
        faults.extend(self.fault_of_status(status.unwrap_or(self.status)));
        if let Some(draft) = &draft {
            faults.extend(self.faults_of_draft(draft, status.unwrap_or(self.status), now));
        }
        let (Some(status), Some(draft), true) = (status, draft, faults.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let next = Self { draft, winner, ..self.clone() };
        next.moved_from(self, status, StoppedBy::Seller, now)
    }

    /// This experiment, with its changed fields, in its next state.
    fn moved_from(
        self,
        before: &Self,
        status: ExperimentStatus,
        stopped_by: StoppedBy,
        now: Timestamp,
    ) -> Result<ExperimentChange, Error> {
        use ExperimentStatus::{Draft, Running, Stopped};
        let is_same = self == *before && status == before.status;
        if is_same {
            return Ok(ExperimentChange { experiment: self, effect: ExperimentEffect::Nothing });
        }
        let effect = match (before.status, status) {
            (Stopped, _) => return Err(Error::Conflict { detail: "A stopped experiment does not change." }),
            (Draft, Running) => ExperimentEffect::Start,
            (Running, Stopped) => ExperimentEffect::Stop,
            (Running, Running) if self.draft.coverage != before.draft.coverage => ExperimentEffect::Rise,
            (Draft, Draft) if self.draft.variants != before.draft.variants => ExperimentEffect::Check,
            _ => ExperimentEffect::None,
        };
        let mut next = Self { status, version: before.version + 1, updated_at: now, ..self };
        next.start_faults.clear();
        match effect {
            ExperimentEffect::Start => next.started_at = Some(now),
            ExperimentEffect::Stop => (next.stopped_at, next.stopped_by) = (Some(now), Some(stopped_by)),
            _ => {}
        }
        Ok(ExperimentChange { experiment: next, effect })
    }

    /// The winner after a change that asks for this one, and for this state; `None` for a state that cannot be read.
    fn winner_after(
        &self,
        asked: Option<Value>,
        status: Option<ExperimentStatus>,
        faults: &mut Vec<Fault>,
    ) -> Option<String> {
        let Some(asked) = asked.filter(|asked| !asked.is_null()) else { return self.winner.clone() };
        let mut fault = |detail: &str| faults.push(Fault::here(detail).under("winner"));
        let Some(key) = asked.as_str() else {
            fault("must be a string");
            return None;
        };
        let is_misplaced = status.is_some_and(|status| (self.status, status) != STOPPING);
        if self.winner.as_deref() != Some(key) && is_misplaced {
            fault("is named when a running experiment is stopped");
        } else if !self.draft.variants.iter().any(|variant| variant.key == key) {
            fault("must be the key of a variant");
        }
        Some(key.to_owned())
    }

    /// The fault of a change to this state.
    fn fault_of_status(&self, status: ExperimentStatus) -> Option<Fault> {
        use ExperimentStatus::{Draft, Running, Stopped};
        let detail = match (self.status, status) {
            (Draft, Stopped) => "must be running before it is stopped",
            (Running, Draft) => "must be running or stopped",
            _ => return None,
        };
        Some(Fault::here(detail).under("status"))
    }

    /// The faults of a change to these fields, in this state.
    fn faults_of_draft(
        &self,
        draft: &ExperimentDraft,
        status: ExperimentStatus,
        now: Timestamp,
    ) -> Vec<Fault> {
        use ExperimentStatus::{Draft, Running};
        let mut faults = Vec::new();
        if self.status == Running {
            for member in changed_members(&self.draft, draft) {
                let may_change = ["coverage", "stopsAt"].contains(&member.as_str());
                if !may_change {
                    faults.push(Fault::here("cannot change while the experiment runs").under(&member));
                }
            }
            if draft.coverage < self.draft.coverage {
                faults.push(Fault::here("may only rise while the experiment runs").under("coverage"));
            }
        }
        let moves_end = self.status == Draft || draft.stops_at != self.draft.stops_at;
        if status == Running && moves_end && draft.stops_at.is_some_and(|stops_at| stops_at <= now) {
            faults.push(Fault::here("must be in the future").under("stopsAt"));
        }
        faults
    }

    /// What the schedule of the experiment, or a guardrail, asks for at this time. `worse` has the metrics that are shown to
    /// have become worse in a variant.
    pub fn due_change(&self, worse: &[Metric], now: Timestamp) -> Option<ExperimentChange> {
        let has_come = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
        let moved = |next: Self, status, by| next.moved_from(self, status, by, now).ok();
        match self.status {
            ExperimentStatus::Draft if self.start_faults.is_empty() && has_come(self.draft.starts_at) => {
                moved(self.clone(), ExperimentStatus::Running, StoppedBy::Schedule)
            }
            ExperimentStatus::Running if has_come(self.draft.stops_at) => {
                moved(self.clone(), ExperimentStatus::Stopped, StoppedBy::Schedule)
            }
            ExperimentStatus::Running if self.draft.metrics.guardrails.iter().any(|m| worse.contains(m)) => {
                moved(self.clone(), ExperimentStatus::Stopped, StoppedBy::Guardrail)
            }
            ExperimentStatus::Running => {
                let passed = self.steps().filter(|(at, _)| *at <= now).map(|(_, coverage)| coverage).max()?;
                let draft =
                    ExperimentDraft { coverage: passed.max(self.draft.coverage), ..self.draft.clone() };
                let change = moved(Self { draft, ..self.clone() }, self.status, StoppedBy::Schedule)?;
                (change.effect == ExperimentEffect::Rise).then_some(change)
            }
            _ => None,
        }
    }

    /// The next version of a draft that could not start at its `startsAt`.
    #[must_use]
    pub fn not_started(&self, faults: Vec<Fault>, now: Timestamp) -> Self {
        let start_faults = faults.into_iter().map(StartFault::from).collect();
        Self { start_faults, version: self.version + 1, updated_at: now, ..self.clone() }
    }

    /// When the experiment has to be looked at by itself: the start of 1970 for one that runs, whose results are counted and
    /// whose guardrails are looked at all the time; `None` for never.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.status {
            ExperimentStatus::Draft if self.start_faults.is_empty() => self.draft.starts_at,
            ExperimentStatus::Running => Some(Timestamp::from_unix_milliseconds(0)),
            _ => None,
        }
    }

    /// The steps of the ramp, with their times.
    fn steps(&self) -> impl Iterator<Item = (Timestamp, Share)> + '_ {
        let started_at = self.started_at;
        self.draft
            .ramp_up
            .iter()
            .filter_map(move |step| Some((started_at?.plus_seconds(step.after_hours * 3600), step.coverage)))
    }
}

/// The states of an experiment that is stopped.
const STOPPING: (ExperimentStatus, ExperimentStatus) = (ExperimentStatus::Running, ExperimentStatus::Stopped);

/// The members in which two drafts differ.
fn changed_members(before: &ExperimentDraft, after: &ExperimentDraft) -> Vec<String> {
    let members = |draft| match serde_json::to_value(draft) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (members(before), members(after));
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

#[path = "experiment_tests.rs"]
mod tests;
