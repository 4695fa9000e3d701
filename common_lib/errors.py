"""The five families of things that can go wrong; `problems` alone turns them into HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One offending place in the input: an RFC 6901 pointer, a stable code and a sentence."""

    pointer: str
    code: str
    detail: str


class DomainError(Exception):
    """A refusal with a stable `code`; `details` are extra members of the problem document.

    `is_retryable` says whether the same call may succeed later; `retry_after_s` says when.
    """

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "The request was refused"
    is_retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        retry_after_s: float | None = None,
        **details: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.details = details


class NotFound(DomainError):
    code = "not_found"
    title = "There is no such thing, or it is not yours"


class Conflict(DomainError):
    code = "conflict"
    title = "The request does not fit the present state"


class Rejected(DomainError):
    code = "rejected"
    title = "The input is not acceptable"


class Forbidden(DomainError):
    code = "forbidden"
    title = "You may not do this"


class Unavailable(DomainError):
    """Not now: it always says when to come back, in a second unless told otherwise."""

    code = "unavailable"
    title = "A part that is needed does not answer"
    is_retryable = True
    # Set where what was asked for may have been done all the same.
    is_outcome_unknown = False

    def __init__(self, detail: str = "", *, retry_after_s: float = 1.0, **details: Any) -> None:
        super().__init__(detail, retry_after_s=retry_after_s, **details)


class StaleVersion(Conflict):
    """The row changed since the caller read it (optimistic locking)."""

    code = "stale_version"
    title = "It was changed by somebody else in the meantime"


class PreconditionFailed(Conflict):
    """The version named by If-Match is no longer the current one (RFC 9110, 13.1.1)."""

    code = "precondition_failed"
    title = "If-Match names an older version"


class CommitUnknown(Unavailable):
    """The connection broke while COMMIT was under way: it may or may not have happened.

    Read again on a fresh connection; never compensate.
    """

    code = "commit_unknown"
    is_outcome_unknown = True
    title = "The outcome of the last write is not known yet"
