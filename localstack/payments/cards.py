"""The payment methods of Stripe's test mode (https://docs.stripe.com/testing, as payment methods)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    brand: str = "visa"
    last4: str = "4242"
    code: str | None = None  # of the error of the charge; None: the charge succeeds
    decline_code: str | None = None
    authentication: bool = False  # the bank requires the customer to confirm
    refund: str = "succeeded"  # the status of a refund


def declined(last4: str, decline_code: str, code: str = "card_declined") -> Card:
    return Card(last4=last4, code=code, decline_code=decline_code)


AUTHENTICATION = Card(last4="3184", authentication=True)

KNOWN = {
    "pm_card_visa": Card(),
    "pm_card_visa_debit": Card(last4="5556"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_mastercard_debit": Card("mastercard", "8210"),
    "pm_card_mastercard_prepaid": Card("mastercard", "5100"),
    "pm_card_amex": Card("amex", "8431"),
    "pm_card_discover": Card("discover", "9424"),
    "pm_card_diners": Card("diners", "0505"),
    "pm_card_jcb": Card("jcb", "0505"),
    "pm_card_unionpay": Card("unionpay", "0005"),
    "pm_card_visa_chargeDeclined": declined("0002", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": declined("9995", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": declined("9987", "lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": declined("9979", "stolen_card"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": declined("6975", "card_velocity_exceeded"),
    "pm_card_chargeDeclinedExpiredCard": declined("0069", "expired_card", "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": declined("0127", "incorrect_cvc", "incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": declined("0119", "processing_error", "processing_error"),
    "pm_card_radarBlock": declined("0019", "fraudulent"),
    "pm_card_authenticationRequired": AUTHENTICATION,
    "pm_card_authenticationRequiredOnSetup": AUTHENTICATION,
    "pm_card_threeDSecure2Required": AUTHENTICATION,
    "pm_card_pendingRefund": Card(last4="7726", refund="pending"),
}
# Names without the brand, as Stripe used them first.
KNOWN |= {name.replace("_visa_chargeDeclined", "_chargeDeclined"): card for name, card in KNOWN.items()}
