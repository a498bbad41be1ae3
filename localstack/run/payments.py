"""The payment provider of an instance: a server on 127.0.0.1 that answers as Stripe's test mode does."""

from payments.webhooks import SECRET as WEBHOOK_SECRET
from run.module import Module

SECRET_KEY = "sk_test_local"  # Stripe's keys are longer; the server accepts any key with this prefix


class Payments(Module):
    name, title = "payments", "payment provider"
