"""What the tests of the rule of undoing share: a machine of ours, changed in one place, and the faults that are found."""

import pathlib
import unittest

import asl
from undo import undo_faults

MACHINES = pathlib.Path(__file__).resolve().parents[2] / "statemachines"


def text_of(machine):
    return (MACHINES / f"{machine}.asl.json").read_text()


class BrokenMachine(unittest.TestCase):
    def faults(self, machine, change=lambda states: None):
        machine = asl.filled(text_of(machine))
        change(machine["States"])
        return list(undo_faults(machine))

    def assert_fault(self, machine, fault, change):
        self.assertIn(fault, self.faults(machine, change))


def catch(error, target):
    return {"ErrorEquals": [error], "Next": target}
