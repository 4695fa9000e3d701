"""What a caller is answered, and what is wrong with an answer that is another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import httpx2

PROBLEM: Final = {"type", "title", "status", "detail", "code", "requestId"}
# Of these, the members that tell what is wrong with the request or the state.
EXPLAINED: Final = {409, 422}


class Granted(Enum):
    """The route's own success."""

    SEES = auto()  # and the answer shows what the row says it shows
    BLIND = auto()  # and the answer shows nothing of it
    DONE = auto()  # whatever the answer shows


@dataclass(frozen=True)
class Refused:
    status: int
    code: str


Answer = Granted | Refused
SEES, BLIND, DONE = Granted.SEES, Granted.BLIND, Granted.DONE

NO_TOKEN: Final = Refused(401, "auth_required")
FORGED_TOKEN: Final = Refused(401, "invalid_token")
EXPIRED_TOKEN: Final = Refused(401, "token_expired")
ENDED: Final = Refused(401, "revoked")
WRONG_TYPE: Final = Refused(401, "wrong_token_type")
WRONG_ROLE: Final = Refused(403, "role_not_allowed")
GONE: Final = Refused(404, "not_found")


def flaws_of_refusal(traces: Iterable[str], wanted: Refused, answer: httpx2.Response) -> list[str]:
    """Return what is wrong with a refusal; it must hold none of the traces of what it is about."""
    if answer.headers["content-type"] != "application/problem+json":
        return [f"{answer.status_code} and no problem: {answer.text[:200]}"]
    said = answer.json()
    found = []
    if (answer.status_code, said["code"]) != (wanted.status, wanted.code):
        found.append(f"{answer.status_code} {said['code']} instead of {wanted}")
    if (answer.status_code == 401) != ("www-authenticate" in answer.headers):
        found.append("WWW-Authenticate is wrong")
    whole = answer.text + str(answer.headers)
    has_more = wanted.status not in EXPLAINED and set(said) - PROBLEM
    if has_more or any(trace in whole for trace in traces):
        found.append(f"tells too much: {answer.text}")
    return found


def members(answer: httpx2.Response) -> Mapping[str, Any]:
    """Return a problem without what is new in every answer."""
    return {name: value for name, value in answer.json().items() if name != "requestId"}


def flaws_of_unknown(answer: httpx2.Response, unknown: httpx2.Response) -> list[str]:
    """Return what tells somebody else's thing from one that is not there."""
    if members(answer) == members(unknown) and set(answer.headers) == set(unknown.headers):
        return []
    return [f"an unknown id is answered otherwise: {unknown.text}"]
