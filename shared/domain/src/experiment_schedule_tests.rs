//! Tests of the changes that the schedule makes: starts, raises and stops by time, and stops by guardrails.

#![cfg(test)]

use super::*;

#[test]
fn an_experiment_starts_and_stops_by_its_times() {
    let mut experiment = draft();
    experiment.draft.starts_at = Some(at(100));
    experiment.draft.stops_at = Some(at(200));
    assert_eq!((experiment.due_at(), experiment.due_change(&[], at(99))), (Some(at(100)), None));
    let start = experiment.due_change(&[], at(100)).unwrap();
    assert_eq!(start.effect, ExperimentEffect::Start);
    let running = start.writes(&known([product(1), product(2)]), at(100)).unwrap().experiment;
    assert_eq!(running.due_change(&[], at(199)), None);
    let stop = running.due_change(&[], at(200)).unwrap();
    assert_eq!(
        (stop.effect, stop.experiment.stopped_by),
        (ExperimentEffect::Stop, Some(StoppedBy::Schedule))
    );
    assert_eq!((stop.experiment.due_at(), stop.experiment.due_change(&[], at(300))), (None, None));
}

#[test]
fn a_start_that_fails_is_not_tried_again_before_a_change() {
    let mut experiment = draft();
    experiment.draft.starts_at = Some(at(100));
    let failed = experiment.not_started(vec![Fault::here("is gone").under("x")], at(100));
    assert_eq!((failed.version, failed.due_at(), failed.due_change(&[], at(200))), (2, None, None));
    assert_eq!(failed.start_faults[0].pointer, "/x");
    let changed = change(&failed, json!({"name": "Again"}), 300).unwrap().experiment;
    assert_eq!((changed.start_faults.len(), changed.due_at()), (0, Some(at(100))));
}

#[test]
fn a_guardrail_that_became_worse_stops_the_experiment() {
    let (experiment, _) = running(10);
    assert_eq!(experiment.due_at(), Some(at(0)));
    assert_eq!(experiment.due_change(&[Metric::AverageOrder], at(20)), None);
    let stop = experiment.due_change(&[Metric::Conversion], at(20)).unwrap();
    assert_eq!(
        (stop.effect, stop.experiment.stopped_by),
        (ExperimentEffect::Stop, Some(StoppedBy::Guardrail))
    );
}

#[test]
fn coverage_follows_the_last_step_of_the_ramp_that_has_passed() {
    let step = |after_hours, coverage| json!({"afterHours": after_hours, "coverage": coverage});
    let patch = json!({"coverage": 100, "rampUp": [step(1, 50), step(2, 1000), step(4, 5000)],
        "metrics": {"guardrails": null}, "status": "running"});
    let running = written(&draft(), patch, [product(1), product(2)], 0).unwrap().experiment;
    assert_eq!(running.due_at(), Some(at(0)));
    assert_eq!(running.due_change(&[], at(2 * 3600 - 1)), None);
    let coverage_at = |hours: u64| {
        let rise = running.due_change(&[], at(hours * 3600)).unwrap();
        assert_eq!(rise.effect, ExperimentEffect::Rise);
        rise.experiment.draft.coverage.get()
    };
    assert_eq!([2, 3, 4, 9].map(coverage_at), [1000, 1000, 5000, 5000]);
    let risen = running.due_change(&[], at(9 * 3600)).unwrap().experiment;
    assert_eq!(risen.due_change(&[], at(9 * 3600)), None);
}

#[test]
fn an_experiment_whose_end_has_passed_does_not_start() {
    let mut experiment = draft();
    (experiment.draft.starts_at, experiment.draft.stops_at) = (Some(at(100)), Some(at(200)));
    let started_at = |now| {
        let start = experiment.due_change(&[], at(now)).unwrap();
        start.writes(&known([product(1), product(2)]), at(now))
    };
    assert!(started_at(199).is_ok());
    let expected = [("/stopsAt".to_owned(), "must be in the future".to_owned())];
    assert_eq!(faults(started_at(200)), expected);
}
