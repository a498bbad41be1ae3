"""What shoppers did, and what the system answered: what the checks compare the end with."""

import collections
from dataclasses import dataclass, field

PASSWORD = "correct horse battery"
TOKEN_SECONDS = 600  # an access token lasts 900

@dataclass
class Account:
    email: str
    password: str
    id: str = ""
    token: str = ""
    logged_in: float = 0  # monotonic seconds


@dataclass
class Product:
    id: str
    amount: int
    stock: int  # at the beginning


@dataclass
class Ledger:
    seller: Account
    products: list[Product]
    buyers: list[Account] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)  # by order: the last status that its buyer was told
    cancelled: set[str] = field(default_factory=set)  # orders whose cancellation was accepted
    concerts: list[str] = field(default_factory=list)
    ratings: dict[tuple[str, str], int] = field(default_factory=dict)  # by product and author
    events: collections.Counter = field(default_factory=collections.Counter)  # by product and name
    unanswered: int = 0  # requests that were given up: nobody knows whether they were carried out
    refused: collections.Counter = field(default_factory=collections.Counter)  # answers that no shopper expects
    faults: collections.Counter = field(default_factory=collections.Counter)  # answers 5xx, and none
