"""A visitor's events, sent by Segment's client for Python."""

import logging
import os
import secrets

from segment.analytics.client import Client
from segment.analytics.request import APIError, _session

# It logs the refusal that is tested here.
logging.disable()

answers = []
# The client does not show the answers of requests that succeed.
_session.hooks["response"].append(lambda response, *_, **__: answers.append(response))


def send(*calls):
    """The statuses and bodies of the answers to these calls of a client, and the errors that it tells."""
    errors = []
    answers.clear()
    client = Client("any", host=os.environ["SOUK_URL"], on_error=lambda error, _: errors.append(error), max_retries=2)
    for call in calls:
        call(client)
    client.shutdown()
    return [(answer.status_code, answer.json()) for answer in answers], errors


def track(event, visitor, **more):
    return lambda client: client.track(event=event, anonymous_id=visitor, **more)


def main():
    visitor = secrets.token_hex(16)
    exposure = {"experimentId": "teapot-photo", "variationId": "large"}
    views = [track("Product Viewed", visitor, properties={"productId": "p", "position": number}) for number in range(250)]
    sent, errors = send(
        lambda client: client.identify("u", {"email": "mei@example.com"}, anonymous_id=visitor),
        lambda client: client.page("u", "Catalog", "Teapots"),
        track("Experiment Viewed", visitor, properties=exposure),
        *views,
    )
    assert not errors, errors
    assert {status for status, _ in sent} == {202}, sent
    # The client cuts what it sends into requests of 100. What says who the visitor is, or which page was seen, is not stored.
    assert sum(body["events"] for _, body in sent) == 251, sent
    print(f"{len(sent)} requests of Segment's client: 251 events")

    sent, errors = send(track("Experiment Viewed", visitor, properties={"experimentId": "teapot-photo"}))
    assert [status for status, _ in sent] == [400], sent
    assert [fault["pointer"] for fault in sent[0][1]["errors"]] == ["/batch/0/properties/variationId"], sent
    assert len(errors) == 1 and isinstance(errors[0], APIError) and errors[0].status == 400, errors
    print("a request that is refused is told to the client, which does not repeat it")


if __name__ == "__main__":
    main()
