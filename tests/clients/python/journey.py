"""A customer's session through the generated types and calls of openapi-python-client, and nothing else."""

import datetime
import os
import secrets
import time

from souk_client import AuthenticatedClient, Client
from souk_client.api.catalog import product_create, product_get, product_update
from souk_client.api.concerts import concert_create, concert_search
from souk_client.api.identity import session_create, user_get, user_register
from souk_client.api.orders import order_place
from souk_client.models.band_creation import BandCreation
from souk_client.models.concert import Concert
from souk_client.models.concert_creation import ConcertCreation
from souk_client.models.credentials import Credentials
from souk_client.models.currency import Currency
from souk_client.models.money import Money
from souk_client.models.money_patch import MoneyPatch
from souk_client.models.order import Order
from souk_client.models.order_creation import OrderCreation
from souk_client.models.order_creation_lines_item import OrderCreationLinesItem
from souk_client.models.order_rejected_problem import OrderRejectedProblem
from souk_client.models.order_status import OrderStatus
from souk_client.models.precondition_failed_problem import PreconditionFailedProblem
from souk_client.models.price_changed_problem import PriceChangedProblem
from souk_client.models.product import Product
from souk_client.models.product_creation import ProductCreation
from souk_client.models.product_page import ProductPage
from souk_client.models.product_patch import ProductPatch
from souk_client.models.session import Session
from souk_client.models.user import User
from souk_client.models.user_registration import UserRegistration
from souk_client.models.validation_problem import ValidationProblem
from souk_client.models.venue_creation import VenueCreation

BASE = os.environ["SOUK_URL"]
TIMEOUT_SECONDS = 30


def answer(response, status, model):
    """Checks status and type of an answer, and returns it as the client parsed it."""
    assert response.status_code == status, f"{response.status_code}, not {status}: {response.content[:500]!r}"
    assert isinstance(response.parsed, model), f"{type(response.parsed).__name__}, not {model.__name__}"
    return response.parsed


def done(step):
    print(f"python client: {step}", flush=True)


def log_in():
    """Registers a user, logs in, and returns a client with the user's token."""
    anybody = Client(base_url=BASE, timeout=TIMEOUT_SECONDS)
    email, password = f"{secrets.token_hex(8)}@clients.example", secrets.token_urlsafe()
    registration = UserRegistration(email=email, password=password, display_name="Python")
    user = answer(user_register.sync_detailed(client=anybody, body=registration), 201, User)
    done(f"registered {user.user_id}")
    credentials = Credentials(email=email, password=password)
    session = answer(session_create.sync_detailed(client=anybody, body=credentials), 201, Session)
    client = AuthenticatedClient(base_url=BASE, token=session.access_token, timeout=TIMEOUT_SECONDS)
    assert answer(user_get.sync_detailed(client=client), 200, User) == user
    done(f"logged in for {session.expires_in} s")
    return client


def publish(client):
    """Creates a product; returns its id, and the entity tag of its first version."""
    body = ProductCreation(
        name="Kaya jam", description="", category="food", price=Money(amount=650, currency=Currency.SGD), stock=3
    )
    response = product_create.sync_detailed(client=client, body=body, idempotency_key=secrets.token_urlsafe())
    product = answer(response, 201, Product)
    done(f"created product {product.product_id}, version {response.headers['etag']}")
    bad = ProductCreation(name="", description="", category="", price=Money(amount=0, currency=Currency.SGD), stock=3)
    problem = answer(product_create.sync_detailed(client=client, body=bad), 400, ValidationProblem)
    assert sorted(fault.pointer for fault in problem.errors) == ["/category", "/name", "/price/amount"]
    return product.product_id, response.headers["etag"]


def change(client, product_id, tag):
    """Updates the product if its version matches the tag; a second update with the same tag fails."""
    patch = ProductPatch(stock=9, price=MoneyPatch(amount=700), image_url=None)
    response = product_update.sync_detailed(product_id, client=client, body=patch, if_match=tag)
    product = answer(response, 200, Product)
    assert (product.stock, product.price.amount, product.version) == (9, 700, 2)
    stale = product_update.sync_detailed(product_id, client=client, body=patch, if_match=tag)
    problem = answer(stale, 412, PreconditionFailedProblem)
    assert stale.headers["etag"] == response.headers["etag"]
    done(f"patched version {tag} to {response.headers['etag']}; the same again: {problem.title.lower()}")


def order(client, product_id):
    """Places an order at a price that has changed, one that is confirmed, and one that exceeds the stock."""
    wanted = OrderCreation(
        lines=[OrderCreationLinesItem(product_id=product_id, quantity=2)],
        expected_total=Money(amount=1300, currency=Currency.SGD),
        payment_method="pm_card_visa",
    )
    response = order_place.sync_detailed(client=client, body=wanted, idempotency_key=secrets.token_urlsafe())
    problem = answer(response, 409, PriceChangedProblem)
    assert [line.unit_price.amount for line in problem.lines] == [700], problem.lines
    wanted.expected_total = problem.total
    key = secrets.token_urlsafe()
    placed = answer(order_place.sync_detailed(client=client, body=wanted, idempotency_key=key, prefer="wait=10"), 201, Order)
    assert (placed.status, placed.total.amount) == (OrderStatus.CONFIRMED, 1400)
    again = order_place.sync_detailed(client=client, body=wanted, idempotency_key=key, prefer="wait=10")
    assert answer(again, 201, Order) == placed and again.headers["idempotency-replayed"] == "true"
    done(f"ordered {placed.order_id}: {placed.status}, {placed.total.amount} {placed.total.currency}")
    wanted.lines[0].quantity = 8
    wanted.expected_total.amount = 5600
    key = secrets.token_urlsafe()
    response = order_place.sync_detailed(client=client, body=wanted, idempotency_key=key, prefer="wait=10")
    problem = answer(response, 422, OrderRejectedProblem)
    assert [fault.pointer for fault in problem.errors] == ["/lines/0"], problem.errors
    page = answer(product_get.sync_detailed(product_id, client=client, cache_control="no-cache"), 200, ProductPage)
    assert page.stock == 7, page.stock
    done(f"ordered more than there are: {problem.title.lower()}")


def search(client):
    """Creates a concert of a new band at a new venue, and finds it by band and location."""
    body = ConcertCreation(
        name="Night of Strings",
        starts_at=datetime.datetime(2090, 3, 6, 20, tzinfo=datetime.timezone(datetime.timedelta(hours=8))),
        bands=[BandCreation(name="The Kallang Five", genre="jazz")],
        venue=VenueCreation(
            name="Victoria Concert Hall", address="11 Empress Place", latitude=1.2884, longitude=103.8519, time_zone="Asia/Singapore"
        ),
    )
    key = secrets.token_urlsafe()
    concert = answer(concert_create.sync_detailed(client=client, body=body, idempotency_key=key, prefer="wait=10"), 201, Concert)
    until = time.monotonic() + TIMEOUT_SECONDS
    place = {"latitude": 1.29, "longitude": 103.85, "radius": 5.0}
    found = []
    while not found and time.monotonic() < until:  # the index is eventually consistent
        found = concert_search.sync(client=client, band_ids=concert.bands[0].band_id, **place).items
    assert [one.concert_id for one in found] == [concert.concert_id], found
    assert found[0].starts_at == body.starts_at and 0 < found[0].distance_km < 5
    done(f"found concert {concert.concert_id}, {found[0].distance_km} km away")


def main():
    client = log_in()
    product_id, tag = publish(client)
    change(client, product_id, tag)
    order(client, product_id)
    search(client)


if __name__ == "__main__":
    main()
