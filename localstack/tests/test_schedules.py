"""A schedule invokes its function. There is no correction for it; the test checks ministack itself."""

import time

from tests.harness import Case

LATEST_SECONDS = 80  # once a minute after the deployment, and ministack checks every ten seconds


class Schedules(Case):
    def test_a_rate_wakes_its_function(self):
        until = time.monotonic() + LATEST_SECONDS
        while not (notes := self.system.notes("woken")) and time.monotonic() < until:
            time.sleep(0.1)
        self.assertTrue(notes, f"the schedule did not fire within {LATEST_SECONDS} s")
        event = notes[0]["woken"]
        self.assertEqual((event["source"], event["detail-type"]), ("aws.events", "Scheduled Event"))
        self.assertEqual(event["detail"], {})
        self.assertRegex(event["resources"][0], "^arn:aws:events:us-east-1:[0-9]{12}:rule/")
