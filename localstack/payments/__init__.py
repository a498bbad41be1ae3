"""Answers as Stripe's test mode does, for what Souk asks of it: PaymentIntents by card, captured later, and refunds.

Nothing is charged and nothing leaves the machine. README.md tells how to try a declined payment and how tests use it.
"""
