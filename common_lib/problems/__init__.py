"""Errors as RFC 9457 problem documents, and strict JSON at the border: once for all services."""

from common_lib.problems.documents import (
    PROBLEM_JSON,
    install,
    problem,
    problem_of,
    status_of,
)
from common_lib.problems.queries import UnfitQuery, refuse_unfit_query
from common_lib.problems.sentences import sentence_of
from common_lib.problems.shapes import ApiModel, LaxId, RequestModel, parse_id
from common_lib.problems.strict_json import (
    BodyTooLarge,
    InvalidUtf8,
    MalformedJson,
    RequestTimedOut,
    StrictRoute,
    UnacceptableJson,
    UnsupportedMediaType,
    parse_json,
    read_body,
    read_json,
)

__all__ = [
    "PROBLEM_JSON",
    "ApiModel",
    "BodyTooLarge",
    "InvalidUtf8",
    "LaxId",
    "MalformedJson",
    "RequestModel",
    "RequestTimedOut",
    "StrictRoute",
    "UnacceptableJson",
    "UnfitQuery",
    "UnsupportedMediaType",
    "install",
    "parse_id",
    "parse_json",
    "problem",
    "problem_of",
    "read_body",
    "read_json",
    "refuse_unfit_query",
    "sentence_of",
    "status_of",
]
