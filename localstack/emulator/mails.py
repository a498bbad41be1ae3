"""Mails that were sent.

AWS: SES delivers them, if the identity that they come from is verified; a caller needs the right to send as that identity.

ministack 1.5.33: forgets them when it stops, and checks the right to send as any identity. This module keeps each mail as
a line of a file, which localstack/mail and tests read, and takes every identity as verified: a local run has no domain
whose DNS could prove anything.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from ministack.core import iam_actions
from ministack.services import ses_v2

FILE = "mails.jsonl"
SEND = "/v2/email/outbound-emails"

_file = Path(FILE)


class Outbox(list):
    """ministack's list of mails; keeps each one that is appended."""

    def append(self, mail: dict) -> None:
        super().append(mail)
        kept = {
            "at": datetime.fromtimestamp(mail["Timestamp"], UTC).isoformat(timespec="seconds"),
            "from": mail["Source"],
            "to": mail["To"],
            "subject": mail["Subject"],
            "text": mail["BodyText"],
            "html": mail["BodyHtml"],
        }
        with _file.open("a") as file:
            file.write(json.dumps(kept) + "\n")


def apply(directory: Path) -> None:
    global _file
    _file = directory / FILE
    outbox = Outbox()
    resource_arn = iam_actions._ses_v2_resource_arn

    def of_sender(method: str, path: str, body: bytes, region: str, account: str) -> str:
        if path.rstrip("/") != SEND:
            return resource_arn(method, path, body, region, account)
        return f"arn:aws:ses:{region}:{account}:identity/{json.loads(body or b'{}').get('FromEmailAddress', '')}"

    ses_v2._sent_emails_list = lambda: outbox
    ses_v2._message_rejection = lambda *_arguments: None
    iam_actions._ses_v2_resource_arn = of_sender


def sent_to(address: str) -> list[dict]:
    """The mails to an address, the oldest first; all mails for an empty address."""
    lines = _file.read_text().splitlines() if _file.exists() else []
    mails = [json.loads(line) for line in lines]
    return [mail for mail in mails if not address or address.lower() in map(str.lower, mail["to"])]
