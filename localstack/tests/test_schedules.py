"""Schedules of EventBridge Scheduler. There is no correction for them; the tests check ministack itself."""

import time

from tests.harness import Case

LATEST_SECONDS = 80  # once a minute after the deployment, and ministack checks every ten seconds


class Schedules(Case):
    def first(self, member: str, wanted=lambda note: True) -> list[dict]:
        until = time.monotonic() + LATEST_SECONDS
        while not (notes := list(filter(wanted, self.system.notes(member)))) and time.monotonic() < until:
            time.sleep(0.1)
        self.assertTrue(notes, f"the schedule did not fire within {LATEST_SECONDS} s")
        return notes

    def test_a_rate_of_the_scheduler_starts_its_machine_with_its_input(self):
        notes = self.first("step", lambda note: note["step"].get("do") == "scheduled")
        self.assertEqual(notes[0]["step"], {"do": "scheduled"})

    def test_a_rate_wakes_its_function_with_its_input(self):
        notes = self.first("woken")
        self.assertEqual(notes[0]["woken"], {"do": "wake"})
