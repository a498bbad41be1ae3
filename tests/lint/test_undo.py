"""The rule of undoing must fail on a machine that breaks it. The good one is concert-create, broken in one place each."""

import json
import pathlib
import unittest

import asl
from undo import undo_faults

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOOD = (ROOT / "statemachines" / "concert-create.asl.json").read_text()


def faults(change=lambda states: None):
    machine = asl.filled(GOOD)
    change(machine["States"])
    return list(undo_faults(machine))


def caught_by(states, name, target):
    states[name]["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": target}]


class Undo(unittest.TestCase):
    def assert_fault(self, words, change):
        found = faults(change)
        self.assertTrue(any(words in fault for fault in found), f"{words!r} is not in {found}")

    def test_concert_create_undoes_what_it_does(self):
        self.assertEqual(faults(), [])

    def test_a_machine_without_undo_needs_none(self):
        machine = asl.filled((ROOT / "statemachines" / "product-delete.asl.json").read_text())
        self.assertEqual(list(undo_faults(machine)), [])

    def test_every_step_catches_everything(self):
        for name in ("PrepareBands", "PrepareVenue", "PrepareConcert", "PublishConcert"):
            with self.subTest(name=name):
                self.assert_fault(f"{name} must catch States.ALL", lambda states: states[name].pop("Catch"))
                self.assert_fault(
                    f"{name} must catch States.ALL",
                    lambda states: states[name]["Catch"][0].update(ErrorEquals=["Unavailable"]),
                )

    def test_a_step_inside_a_map_catches_everything(self):
        def change(states):
            del states["PrepareBands"]["ItemProcessor"]["States"]["PrepareBand"]["Catch"]

        self.assert_fault("PrepareBand must catch States.ALL", change)

    def test_a_failure_leads_to_the_undo_of_the_step(self):
        self.assert_fault(
            "when PrepareVenue fails, DiscardBands does not lead to VenueDiscard, which undoes PrepareVenue",
            lambda states: caught_by(states, "PrepareVenue", "DiscardBands"),
        )
        self.assert_fault(
            "when PublishConcert fails, DiscardVenue does not lead to ConcertDiscard, which undoes PublishConcert",
            lambda states: caught_by(states, "PublishConcert", "DiscardVenue"),
        )
        self.assert_fault(
            "when PrepareBands fails, RejectConcert does not lead to BandDiscard, which undoes PrepareBand",
            lambda states: caught_by(states, "PrepareBands", "RejectConcert"),
        )

    def test_a_failure_leads_to_the_undo_of_every_step_before(self):
        self.assert_fault(
            "when PrepareConcert fails, DiscardConcert does not lead to BandDiscard, which undoes PrepareBand",
            lambda states: states["DiscardVenue"].update(Next="RejectConcert")
            or states["IsVenueNew"].update(Default="RejectConcert"),
        )

    def test_a_band_that_failed_is_undone_after_the_map(self):
        def change(states):
            states["AreBandsPrepared"]["Choices"].pop(0)
            for name in ("PrepareVenue", "PrepareConcert", "PublishConcert"):
                caught_by(states, name, "RejectConcert")

        self.assert_fault("when PrepareBand fails, BandNotPrepared does not lead to BandDiscard", change)

    def test_undo_goes_back_in_order(self):
        def change(states):
            states["PrepareBands"]["Next"] = "PrepareConcert"
            states["PrepareConcert"]["Next"] = "PrepareVenue"
            states["PrepareVenue"]["Next"] = "PublishConcert"
            caught_by(states, "PrepareVenue", "DiscardConcert")
            del states["AreBandsPrepared"]

        self.assertEqual(faults(change), [], "the concert is published after the venue, so it may be undone before")

        def backwards(states):
            states["DiscardBands"]["Next"] = "DiscardConcert"
            states["DiscardVenue"]["Next"] = "RejectConcert"
            states["IsVenueNew"]["Default"] = "RejectConcert"

        self.assert_fault("DiscardConcert must come before DiscardBand", backwards)

    def test_nothing_goes_forward_after_an_undo(self):
        self.assert_fault(
            "nothing may go forward after it, as PublishConcert does",
            lambda states: states["DiscardVenue"].update(Next="PublishConcert"),
        )

    def test_an_undo_ends_in_failure(self):
        self.assert_fault(
            "ConcertNotCreated ends the undo that DiscardVenue is part of: it must be a Fail",
            lambda states: states.update(ConcertNotCreated={"Type": "Succeed"}),
        )

    def test_only_the_undo_of_the_publication_may_find_that_it_stands(self):
        good_end = {"Type": "Choice", "Choices": [{"Condition": True, "Next": "Kept"}], "Default": "DiscardBands"}
        self.assert_fault(
            "Kept ends the undo that DiscardVenue is part of: it must be a Fail",
            lambda states: states["DiscardVenue"].update(Next="IsKept")
            or states.update(IsKept=good_end, Kept={"Type": "Succeed"}),
        )
        self.assert_fault(
            "ConcertCreated ends the undo that DiscardConcert is part of: it must be a Fail",
            lambda states: states["IsVenueNew"].update(Default="ConcertCreated"),
        )
        self.assert_fault(
            "ConcertCreated ends the undo that DiscardConcert is part of: it must be a Fail",
            lambda states: states["DiscardConcert"].update(Next="ConcertCreated"),
        )

    def test_an_undo_is_not_given_up(self):
        for change in (
            lambda states: states["DiscardVenue"].pop("Catch"),
            lambda states: caught_by(states, "DiscardVenue", "RejectConcert"),
            lambda states: states["RestBeforeDiscardVenue"].update(Next="DiscardBands"),
        ):
            self.assert_fault("DiscardVenue is an undo: it must catch States.ALL and come back to itself", change)

    def test_what_undoes_an_action_must_be_known(self):
        machine = asl.filled(json.dumps(json.loads(GOOD)).replace("VenuePrepare", "VenuePaint"))
        self.assertIn("PrepareVenue: undo.py does not know what undoes 'paint'", list(undo_faults(machine)))
        machine = asl.filled(GOOD.replace("${VenuePrepareFunctionArn}", "arn:aws:states:::dynamodb:putItem"))
        self.assertIn("PrepareVenue must have a Resource like ${BandPrepareFunctionArn}", list(undo_faults(machine)))


if __name__ == "__main__":
    unittest.main()
