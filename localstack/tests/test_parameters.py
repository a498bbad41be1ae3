"""run/parameters.py: parameters are refused as CloudFormation refuses them."""

import unittest

from run import parameters, template
from run.deploy import DEFAULTS
from run.project import TEMPLATE


def faults(rules: dict, value: str) -> list[str]:
    prefix = "Parameter 'P' "
    return [fault.removeprefix(prefix) for fault in parameters.faults({"P": rules}, {"P": value})]


class Parameters(unittest.TestCase):
    def test_unknown_and_missing(self):
        declared = {"A": {"Type": "String"}, "B": {"Type": "String", "Default": ""}}
        self.assertEqual(parameters.faults(declared, {"C": "1"}), ["Parameters: [C] do not exist in the template"])
        self.assertEqual(parameters.missing(declared, {"B": "1"}), ["Parameters: [A] must have values"])
        self.assertEqual(parameters.missing(declared, {"A": ""}), [])

    def test_numbers(self):
        rules = {"Type": "Number", "MinValue": 2, "MaxValue": 10.5}
        for value in ("2", "10.5", " 3", "4.0", "1e1"):
            self.assertEqual(faults(rules, value), [], value)
        for value in ("", "two", "NaN", "Infinity", "1 2"):
            self.assertEqual(faults(rules, value), ["must be a number"], value)
        self.assertEqual(faults(rules, "1.9"), ["must be a number not less than 2"])
        self.assertEqual(faults(rules, "10.6"), ["must be a number not greater than 10.5"])

    def test_texts(self):
        rules = {"Type": "String", "MinLength": 2, "MaxLength": 3, "AllowedPattern": "[a-z]*"}
        self.assertEqual(faults(rules, "abc"), [])
        self.assertEqual(faults(rules, "a"), ["must contain at least 2 characters"])
        self.assertEqual(faults(rules, "abcd"), ["must contain at most 3 characters"])
        self.assertEqual(faults(rules, "ab1"), ["failed to satisfy constraint: it must match [a-z]*"])
        described = {"Type": "String", "AllowedPattern": "a|b", "ConstraintDescription": "a or b"}
        self.assertEqual(faults(described, "ab"), ["failed to satisfy constraint: a or b"])

    def test_allowed_values(self):
        self.assertEqual(faults({"Type": "Number", "AllowedValues": [1, 30]}, "30"), [])
        self.assertEqual(faults({"Type": "Number", "AllowedValues": [1, 30]}, "2"), ["must be one of 1, 30"])
        self.assertEqual(faults({"Type": "String", "AllowedValues": [True, "x"]}, "true"), [])

    def test_lists_item_by_item(self):
        rules = {"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}
        self.assertEqual(faults(rules, "a, b"), [])
        self.assertEqual(faults(rules, "a,c"), ["must be one of a, b"])

    def test_a_value_is_not_told(self):
        rules = {"Type": "String", "NoEcho": True, "AllowedPattern": "sk_.*"}
        self.assertNotIn("secret", faults(rules, "secret")[0])

    def test_what_the_local_run_gives_is_taken(self):
        declared = template.parameters(TEMPLATE)
        given = {name: value for name, value in DEFAULTS.items() if name in declared}
        self.assertEqual(parameters.faults(declared, given) + parameters.missing(declared, given), [])
