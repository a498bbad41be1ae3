"""The undo rule on order-place and order-cancel with one fault each."""

import unittest

from broken import BrokenMachine, catch


class Orders(BrokenMachine):
    def assert_broken(self, fault, change, machine="order-place"):
        self.assert_fault(machine, fault, change)

    def test_order_place_undoes_what_it_takes(self):
        self.assertEqual(self.faults("order-place"), [])

    def test_every_step_catches_everything(self):
        for name in ("ReserveStock", "AuthorizePayment", "ConfirmOrder"):
            with self.subTest(name=name):
                self.assert_broken(f"{name} must catch States.ALL", lambda states: states[name]["Catch"].pop())

    def test_a_refusal_is_undone_too(self):
        for name in ("ReserveStock", "AuthorizePayment", "ConfirmOrder"):
            with self.subTest(name=name):
                self.assert_broken(
                    f"when {name} fails, OrderRejected must lead to UndoOrder and to nothing else first",
                    lambda states: states[name]["Catch"].insert(0, catch("Rejected", "OrderRejected")),
                )

    def test_an_order_that_stands_is_paid(self):
        for target in ("ConfirmOrder", "OrderRejected", "OrderNotPlaced"):
            self.assert_broken(
                f"HowItEnded may not lead to {target} where $states.input.outcome = 'confirmed'",
                lambda states: states["HowItEnded"]["Choices"][1].update(Next=target),
            )
        self.assert_broken(
            "HowItEnded must tell where the pivot stands",
            lambda states: states["HowItEnded"]["Choices"].pop(1),
        )

    def test_an_order_that_another_execution_confirmed_is_left_to_it(self):
        self.assert_broken(
            "HowItEnded may not lead to CapturePayment where $states.input.outcome = 'confirmed' and $not($exists($payment))",
            lambda states: states["HowItEnded"]["Choices"][0].update(Next="CapturePayment"),
        )

    def test_a_conflict_leaves_the_order_to_another_execution_before_the_pivot_only(self):
        conflict = "must be $exists($states.input.conflict) and"
        for name, choice in (("ReserveStock", "IsStockReserved"), ("AuthorizePayment", "IsPaymentAuthorized")):
            fault = f"when {name} meets a conflict, one rule of {choice} {conflict} end, since another execution decides"
            with self.subTest(name=name):
                self.assert_broken(fault, lambda states: states[choice]["Choices"][1].update(Next="ConfirmOrder"))
                self.assert_broken(fault, lambda states: states[choice]["Choices"].pop(1))
        fault = f"when ConfirmOrder meets a conflict, one rule of IsOrderConfirmed {conflict} lead to UndoOrder"
        self.assert_broken(fault, lambda states: states["IsOrderConfirmed"]["Choices"][0].update(Next="OrderDecidedElsewhere"))
        self.assert_broken(
            "when ConfirmOrder fails, OrderDecidedElsewhere must lead to UndoOrder and to nothing else first",
            lambda states: states["ConfirmOrder"]["Catch"].insert(0, catch("Conflict", "OrderDecidedElsewhere")),
        )

    def test_a_rejection_leads_to_the_undo(self):
        for name, choice in (("ReserveStock", "IsStockReserved"), ("AuthorizePayment", "IsPaymentAuthorized")):
            fault = f"when {name} is rejected, the first rule of {choice} must be $exists($states.input.rejected) and lead to UndoOrder"
            with self.subTest(name=name):
                self.assert_broken(fault, lambda states: states[choice]["Choices"][0].update(Next="ConfirmOrder"))
                self.assert_broken(fault, lambda states: states[choice]["Choices"][0].update(Condition="{% $states.input.payment %}"))

    def test_an_order_that_was_undone_is_not_paid(self):
        self.assert_broken(
            "HowItEnded may not lead to CapturePayment where $states.input.outcome = 'undone'",
            lambda states: states["HowItEnded"]["Choices"][2].update(Next="CapturePayment"),
        )

    def test_an_order_ends_well_only_where_the_undo_reports_a_refusal(self):
        self.assert_broken(
            "HowItEnded: its Default must be a Fail",
            lambda states: states["HowItEnded"].update(Default="OrderRejected"),
        )
        self.assert_broken(
            "HowItEnded may not lead to OrderRejected where $states.input.outcome = 'failed'",
            lambda states: states["HowItEnded"]["Choices"][2].update(Condition="{% $states.input.outcome = 'failed' %}"),
        )
        self.assert_broken(
            "UndoOrder must be followed by a Choice on what it reports",
            lambda states: states["UndoOrder"].update(Next="OrderRejected"),
        )

    def test_the_money_is_not_given_up(self):
        for change in (
            lambda states: states["CapturePayment"].pop("Catch"),
            lambda states: states["CapturePayment"]["Catch"][0].update(Next="UndoOrder"),
            lambda states: states["RestBeforeCapturePayment"].update(Next="OrderNotPlaced"),
        ):
            self.assert_broken("CapturePayment must catch States.ALL and come back to itself through a Wait", change)

    def test_what_stands_is_not_undone(self):
        for change in (
            lambda states: states["CapturePayment"]["Catch"][0].update(Next="UndoOrder"),
            lambda states: states["CapturePayment"].update(Next="UndoOrder"),
        ):
            self.assert_broken("UndoOrder may not follow CapturePayment: the pivot stands", change)

    def test_the_money_is_not_taken_too_early(self):
        for change in (
            lambda states: states["AuthorizePayment"].update(Next="CapturePayment"),
            lambda states: states["AuthorizePayment"]["Catch"].insert(0, catch("Conflict", "CapturePayment")),
            lambda states: states["UndoOrder"].update(Next="CapturePayment"),
        ):
            self.assert_broken("CapturePayment may come before the pivot: it must not", change)

    def test_a_confirmation_that_failed_is_not_taken_for_one(self):
        self.assert_broken(
            "when ConfirmOrder fails, CapturePayment must lead to UndoOrder and to nothing else first",
            lambda states: states["ConfirmOrder"]["Catch"].insert(0, catch("Unavailable", "CapturePayment")),
        )

    def test_nothing_is_taken_after_the_confirmation(self):
        self.assert_broken(
            "ReserveStock may not follow the pivot ConfirmOrder: it would not be undone",
            lambda states: states["ConfirmOrder"].update(Next="ReserveStock"),
        )


class Cancellations(BrokenMachine):
    def assert_broken(self, fault, change):
        self.assert_fault("order-cancel", fault, change)

    def test_order_cancel_may_end_well(self):
        self.assertEqual(self.faults("order-cancel"), [])

    def test_its_undo_is_not_given_up(self):
        self.assert_broken(
            "UndoOrder must catch States.ALL and come back to itself through a Wait",
            lambda states: states["UndoOrder"].pop("Catch"),
        )

    def test_it_only_undoes(self):
        def capture(states):
            states["UndoOrder"].update(Next="Capture")
            states["Capture"] = {"Type": "Task", "Resource": "PaymentCaptureFunctionArn", "End": True}

        self.assert_broken("Capture may not follow UndoOrder", capture)
        self.assert_broken("Capture may come before the pivot: it must not", capture)
        self.assert_broken(
            "a machine that takes something must have one pivot, and one undo of the pivot's resource",
            lambda states: states["UndoOrder"].update(Resource="StockReserveFunctionArn"),
        )


if __name__ == "__main__":
    unittest.main()
