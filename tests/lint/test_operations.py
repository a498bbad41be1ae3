"""docs/operations.md says of each alarm what happened and what to do."""

import pathlib
import unittest

from cfnlint.decode.decode import decode

ROOT = pathlib.Path(__file__).resolve().parents[2]


def unnamed(template, page):
    alarms = [name for name, each in template["Resources"].items() if each["Type"] == "AWS::CloudWatch::Alarm"]
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    whole = [row for row in rows if len(row) == 5 and row[2].strip() and row[3].strip()]
    told = {name.strip(" `") for row in whole for name in row[1].split(",")}
    return sorted(set(alarms) - told)


class Operations(unittest.TestCase):
    def setUp(self):
        self.template = decode(str(ROOT / "template.yaml"))[0]
        self.page = (ROOT / "docs/operations.md").read_text()

    def test_each_alarm_has_a_row(self):
        self.assertEqual(unnamed(self.template, self.page), [])

    def test_an_alarm_without_a_row_is_found(self):
        for alarm in ("ApiFaultsAlarm", "EventIngestFailedAlarm"):
            self.assertEqual(unnamed(self.template, self.page.replace(f"`{alarm}`", "`Alarm`", 1)), [alarm])
        row = "| `ApiFaultsAlarm` | happened | |"
        self.assertEqual(unnamed(self.template, self.page.replace("| `ApiFaultsAlarm` |", f"{row}\n| `Alarm` |")), ["ApiFaultsAlarm"])


if __name__ == "__main__":
    unittest.main()
