"""The rule of undoing must find every fault in a machine. Here concert-create is broken, in one place each."""

import unittest

import asl
from broken import BrokenMachine, catch, text_of
from undo import START, undo_faults


class Concerts(BrokenMachine):
    def assert_broken(self, fault, change):
        self.assert_fault("concert-create", fault, change)

    def test_concert_create_undoes_what_it_creates(self):
        self.assertEqual(self.faults("concert-create"), [])

    def test_a_machine_without_undo_needs_none(self):
        self.assertEqual(self.faults("product-delete"), [])

    def test_a_machine_that_records_needs_none(self):
        self.assertEqual(self.faults("flash-sale-crawl"), [])

    def test_a_session_that_fails_does_not_stop_the_others(self):
        def inner(states):
            return states["CrawlSessions"]["ItemProcessor"]["States"]["CrawlPages"]

        fault = "CrawlPages must catch States.ALL, and end its iteration well"
        for change in (
            lambda states: inner(states).pop("Catch"),
            lambda states: inner(states)["Catch"][0].update(ErrorEquals=["Unavailable"]),
            lambda states: inner(states)["Catch"][0].update(Next="HasMorePages"),
        ):
            self.assert_fault("flash-sale-crawl", fault, change)

    def test_what_is_recorded_cannot_be_undone(self):
        fault = "PrepareVenue is never undone: it may not be in a machine that undoes"
        self.assert_broken(fault, lambda states: states["PrepareVenue"].update(Resource="arn:aws:lambda:eu-west-1:1:function:FlashSaleListFunctionArn"))

    def test_a_machine_that_undoes_starts_nothing(self):
        self.assert_broken(
            "PublishConcert starts what this machine could not undo",
            lambda states: states["PublishConcert"].update(Resource=START),
        )

    def test_every_step_catches_everything(self):
        for name in ("PrepareBands", "PrepareVenue", "PrepareConcert", "PublishConcert"):
            with self.subTest(name=name):
                fault = f"{name} must catch States.ALL"
                self.assert_broken(fault, lambda states: states[name].pop("Catch"))
                self.assert_broken(fault, lambda states: states[name]["Catch"][0].update(ErrorEquals=["Unavailable"]))

    def test_a_step_inside_a_map_catches_everything(self):
        def change(states):
            del states["PrepareBands"]["ItemProcessor"]["States"]["PrepareBand"]["Catch"]

        self.assert_broken("PrepareBand must catch States.ALL", change)

    def test_a_failure_leads_to_the_undo_and_to_nothing_else_first(self):
        for name in ("PrepareBands", "PrepareVenue", "PrepareConcert", "PublishConcert"):
            for target in ("PublishConcert", "ConcertNotCreated", "ConcertCreated", "AreBandsPrepared", "Nowhere"):
                with self.subTest(name=name, target=target):
                    self.assert_broken(
                        f"when {name} fails, {target} must lead to UndoConcert and to nothing else first",
                        lambda states: states[name]["Catch"].insert(0, catch("Internal", target)),
                    )

    def test_a_failure_may_wait_before_the_undo(self):
        def change(states):
            states["Rest"] = {"Type": "Wait", "Seconds": 1, "Next": "UndoConcert"}
            states["PrepareVenue"]["Catch"] = [catch("States.ALL", "Rest")]

        self.assertEqual(self.faults("concert-create", change), [])

    def test_a_band_that_failed_puts_out_its_error(self):
        def inner(states):
            return states["PrepareBands"]["ItemProcessor"]["States"]

        for change in (
            lambda states: inner(states)["PrepareBand"]["Catch"][0].pop("Output"),
            lambda states: inner(states)["PrepareBand"]["Catch"][0].update(Next="PrepareBand"),
            lambda states: inner(states)["BandNotPrepared"].update(Output={}),
            lambda states: inner(states)["BandNotPrepared"].update(Type="Fail"),
        ):
            self.assert_broken("when PrepareBand fails, its iteration must end well and put out `error`", change)

    def test_a_band_that_failed_leads_to_the_undo_after_the_map(self):
        fault = "when PrepareBand fails, the first rule of AreBandsPrepared must be $exists($states.input.error) and lead to UndoConcert"
        for change in (
            lambda states: states["AreBandsPrepared"]["Choices"].pop(0),
            lambda states: states["AreBandsPrepared"]["Choices"].reverse(),
            lambda states: states["AreBandsPrepared"]["Choices"][0].update(Next="PrepareConcert"),
            lambda states: states["AreBandsPrepared"]["Choices"][0].update(Condition="{% $exists($states.input.fault) %}"),
        ):
            self.assert_broken(fault, change)
        self.assert_broken(
            fault.replace("AreBandsPrepared", "PrepareVenue"),
            lambda states: states["PrepareBands"].update(Next="PrepareVenue"),
        )

    def test_there_is_one_undo_and_one_pivot(self):
        fault = "a machine that takes something must have one pivot, and one undo of the pivot's resource"
        for change in (
            lambda states: states.pop("UndoConcert"),
            lambda states: states.update(UndoAgain=states["UndoConcert"]),
            lambda states: states.update(PublishAgain=states["PublishConcert"]),
            lambda states: states["UndoConcert"].update(Resource="OrderUndoFunctionArn"),
        ):
            self.assert_broken(fault, change)

    def test_nothing_goes_forward_after_the_undo(self):
        self.assert_broken(
            "UndoConcert must be followed by a Choice on what it reports",
            lambda states: states["UndoConcert"].update(Next="PrepareConcert"),
        )
        self.assert_broken(
            "WasConcertPublished may not lead to PublishConcert where $states.input.published",
            lambda states: states["WasConcertPublished"]["Choices"][0].update(Next="PublishConcert"),
        )

    def test_an_undo_ends_in_failure(self):
        for change in (
            lambda states: states["WasConcertPublished"].update(Default="ConcertCreated"),
            lambda states: states["WasConcertPublished"].pop("Default"),
            lambda states: states.update(ConcertNotCreated={"Type": "Succeed"}),
        ):
            self.assert_broken("WasConcertPublished: its Default must be a Fail", change)
        for target in ("ConcertNotCreated", "ConcertCreated"):
            self.assert_broken(
                "UndoConcert must be followed by a Choice on what it reports",
                lambda states: states["UndoConcert"].update(Next=target),
            )
        self.assert_broken(
            "UndoConcert must be followed by a Choice on what it reports",
            lambda states: states["UndoConcert"].update(End=True) or states["UndoConcert"].pop("Next"),
        )

    def test_only_what_the_undo_reports_ends_well(self):
        self.assert_broken(
            "WasConcertPublished may not lead to ConcertCreated where $exists($failure)",
            lambda states: states["WasConcertPublished"]["Choices"][0].update(Condition="{% $exists($failure) %}"),
        )
        self.assert_broken(
            "WasConcertPublished must tell where the pivot stands",
            lambda states: states["WasConcertPublished"].update(Choices=[]),
        )

    def test_nothing_is_created_after_the_publication(self):
        self.assert_broken(
            "PrepareAgain may not follow the pivot PublishConcert: it would not be undone",
            lambda states: states.update(PrepareAgain={**states["PrepareVenue"], "Next": "ConcertCreated"})
            or states["PublishConcert"].update(Next="PrepareAgain"),
        )

    def test_the_undo_is_not_given_up(self):
        for change in (
            lambda states: states["UndoConcert"].pop("Catch"),
            lambda states: states["UndoConcert"]["Catch"][0].update(ErrorEquals=["Unavailable"]),
            lambda states: states["UndoConcert"].update(Catch=[catch("States.ALL", "ConcertNotCreated")]),
            lambda states: states["UndoConcert"].update(Catch=[catch("States.ALL", "UndoConcert")]),
            lambda states: states["UndoConcert"]["Catch"].insert(0, catch("Internal", "ConcertNotCreated")),
            lambda states: states["RestBeforeUndoConcert"].update(Next="ConcertNotCreated"),
        ):
            self.assert_broken("UndoConcert must catch States.ALL and come back to itself through a Wait", change)

    def test_what_lasts_is_in_no_machine_that_undoes(self):
        self.assert_broken(
            "PrepareVenue is never undone: it may not be in a machine that undoes",
            lambda states: states["PrepareVenue"].update(Resource="VenuePurgeFunctionArn"),
        )

    def test_every_task_is_known(self):
        machine = asl.filled(text_of("concert-create").replace("VenuePrepare", "VenuePaint"))
        fault = "PrepareVenue: undo.py does not know whether 'paint' has to be undone"
        self.assertIn(fault, list(undo_faults(machine)))
        self.assert_broken(
            "PrepareVenue must have a Resource like ${BandPrepareFunctionArn}",
            lambda states: states["PrepareVenue"].update(Resource="arn:aws:states:::dynamodb:putItem"),
        )


if __name__ == "__main__":
    unittest.main()
