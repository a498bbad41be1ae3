"""The size that is checked is that of the translated template, and too much of it is a fault."""

import pathlib
import unittest

import size
from cfnlint.decode.decode import decode

HERE = pathlib.Path(__file__).parent


class Size(unittest.TestCase):
    def test_what_sam_adds_is_counted(self):
        written = decode(str(HERE / "good.yaml"))[0]
        kinds = [resource["Type"] for resource in size.translated(written)["Resources"].values()]
        self.assertGreater(len(kinds), len(written["Resources"]))
        for added in ("AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping", "AWS::ApiGatewayV2::Stage"):
            self.assertIn(added, kinds)

    def test_too_much_is_a_fault(self):
        self.assertEqual(list(size.faults(size.MOST_RESOURCES, size.MOST_BYTES)), [])
        self.assertEqual(len(list(size.faults(size.MOST_RESOURCES + 1, size.MOST_BYTES + 1))), 2)


if __name__ == "__main__":
    unittest.main()
