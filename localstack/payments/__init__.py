"""Answers as Stripe's test mode does, for the calls of Souk: card payments that are captured later, and refunds.

No money moves and no request leaves the machine. README.md describes declined payments and the calls for tests.
"""
