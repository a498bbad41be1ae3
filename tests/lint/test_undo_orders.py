"""The rule of undoing on order-place and order-cancel, broken in one place each."""

import pathlib
import unittest

import asl
from undo import undo_faults

MACHINES = pathlib.Path(__file__).resolve().parents[2] / "statemachines"


def faults(change=lambda states: None, of="order-place"):
    machine = asl.filled((MACHINES / f"{of}.asl.json").read_text())
    change(machine["States"])
    return list(undo_faults(machine))


def catch(error, target):
    return {"ErrorEquals": [error], "Next": target}


class Orders(unittest.TestCase):
    def assert_fault(self, words, change, **of):
        found = faults(change, **of)
        self.assertTrue(any(words in fault for fault in found), f"{words!r} is not in {found}")

    def test_order_place_undoes_what_it_does(self):
        self.assertEqual(faults(), [])

    def test_order_cancel_does_nothing_that_could_fail(self):
        self.assertEqual(faults(of="order-cancel"), [])
        self.assert_fault("VoidPayment is an undo", lambda states: states["VoidPayment"].pop("Catch"), of="order-cancel")

    def test_only_what_took_nothing_is_rejected_without_an_undo(self):
        self.assert_fault(
            "when ReserveStock fails, RejectOrder does not lead to StockRelease",
            lambda states: states["ReserveStock"]["Catch"][0].update(ErrorEquals=["Rejected", "Conflict"]),
        )
        self.assert_fault(
            "when ReserveStock fails, RejectOrder does not lead to StockRelease",
            lambda states: states["ReserveStock"]["Catch"][1].update(Next="RejectOrder"),
        )
        self.assert_fault(
            "when AuthorizePayment fails, ReleaseStock does not lead to PaymentVoid",
            lambda states: states["AuthorizePayment"]["Catch"].insert(0, catch("Rejected", "ReleaseStock")),
        )
        self.assert_fault(
            "when ReserveStock fails, RejectOrder does not lead to PaymentVoid",
            lambda states: (
                states["AuthorizePayment"].update(Next="ReserveStock"),
                states["ReserveStock"].update(Next="ConfirmOrder"),
            ),
        )

    def test_every_step_catches_everything(self):
        for name in ("ReserveStock", "AuthorizePayment", "ConfirmOrder"):
            with self.subTest(name=name):
                self.assert_fault(f"{name} must catch States.ALL", lambda states: states[name]["Catch"].pop())

    def test_the_confirmation_is_undone_by_the_payment(self):
        self.assert_fault(
            "when ConfirmOrder fails, ReleaseStock does not lead to PaymentVoid, which undoes ConfirmOrder",
            lambda states: states["ConfirmOrder"]["Catch"][0].update(Next="ReleaseStock"),
        )

    def test_money_goes_back_before_the_stock(self):
        def backwards(states):
            states["ReleaseStock"]["Next"] = "VoidPayment"
            states["IsConfirmed"]["Default"] = "RejectOrder"
            for name in ("AuthorizePayment", "ConfirmOrder"):
                states[name]["Catch"] = [catch("States.ALL", "ReleaseStock")]

        self.assert_fault("VoidPayment must come before ReleaseStock", backwards)

    def test_an_order_that_stands_is_not_undone(self):
        self.assert_fault(
            "ReleaseStock is where VoidPayment finds that the pivot stands: ReleaseStock may not follow",
            lambda states: states["IsConfirmed"]["Choices"][0].update(Next="ReleaseStock")
            or states["IsConfirmed"].update(Default="RejectOrder"),
        )
        self.assert_fault(
            "nothing may go forward after it, as ConfirmOrder does",
            lambda states: states["IsConfirmed"]["Choices"][0].update(Next="ConfirmOrder"),
        )

    def test_the_money_is_not_given_up_and_not_taken_too_early(self):
        given_up = "CapturePayment is never undone: it must catch States.ALL and come back to itself"
        self.assert_fault(given_up, lambda states: states["CapturePayment"].pop("Catch"))
        for change in (
            lambda states: states["CapturePayment"]["Catch"][0].update(Next="VoidPayment"),
            lambda states: states["CapturePayment"].update(Next="VoidPayment"),
        ):
            self.assert_fault("CapturePayment is never undone: VoidPayment may not follow", change)
        for change in (
            lambda states: states["AuthorizePayment"].update(Next="CapturePayment"),
            lambda states: states["ReleaseStock"].update(Next="CapturePayment"),
        ):
            self.assert_fault("CapturePayment may come before the pivot", change)

    def test_an_order_is_rejected_in_peace_only_where_the_verdict_says_so(self):
        for change in (
            lambda states: states["RejectOrder"].update(Next="OrderRejected"),
            lambda states: states["ReleaseStock"].update(Next="OrderRejected"),
            lambda states: states["WasItRefused"].update(Default="OrderRejected"),
        ):
            self.assert_fault("OrderRejected ends the undo that VoidPayment is part of: it must be a Fail", change)
        self.assert_fault(
            "ReleaseStock ends the undo that VoidPayment is part of: it must be a Fail",
            lambda states: states["ReleaseStock"].update(End=True) or states["ReleaseStock"].pop("Next"),
        )


if __name__ == "__main__":
    unittest.main()
