"""Keeps what ministack derives from text alone: tokens and faults of expressions, and parsed policies.

ministack 1.5.33: reads each expression again for each item that it is compared with, and each policy of a role for each
call. In a profile of schemathesis' requests the syntax check of expressions alone took 8 %. Exceptions are not kept.
It also gathers the policies and tags of a caller twice for each call, the first time only to know the caller's ARN: 5 %.
SAM's translator copies the whole OpenAPI document two times for each route: 1 of 1.3 seconds.
"""

import functools

from ministack.core import iam_evaluator, router
from ministack.core.responses import get_account_id
from ministack.services import dynamodb
from samtranslator.open_api import open_api

EXPRESSIONS = 4096  # that are kept; the project has some hundreds
POLICIES = 1024


def apply() -> None:
    kept = functools.lru_cache(EXPRESSIONS)
    tokenize = dynamodb._tokenize
    dynamodb._tokenize = kept(lambda expression: tuple(tokenize(expression)))  # a tuple, so that nobody changes it
    dynamodb._condition_syntax_error = kept(dynamodb._condition_syntax_error)
    reserved = kept(dynamodb._check_reserved_keyword_usage)
    dynamodb._check_reserved_keyword_usage = lambda tokens: reserved(tuple(tokens))
    iam_evaluator.request_caller_arn = caller
    open_api._deepcopy = lambda document: document  # the translator puts the copy where the document was
    parse = iam_evaluator.parse_policy_document
    parse_text = functools.lru_cache(POLICIES)(parse)
    iam_evaluator.parse_policy_document = lambda document: parse_text(document) if isinstance(document, str) else parse(document)


def caller(headers: dict, query: dict | None = None) -> str:
    """The ARN of a request's caller; that of the account's root for a key of nobody, as ministack's function says."""
    account = get_account_id()
    key = router.extract_access_key_id(headers or {}, query or {})
    credential = iam_evaluator.resolve_credential(key, account) if key else None
    return getattr(credential, "principal_arn", "") or f"arn:aws:iam::{account}:root"
