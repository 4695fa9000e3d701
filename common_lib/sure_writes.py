"""Writes to Redis where Redis is the truth: what is answered about them is so.

A time-out says nothing about a write: it may have landed, and only its answer came late. So a
write that is safe to repeat is sent once more, and if that is not answered either, the caller is
told that nobody knows; "not done" is only said where nothing was sent or Redis itself refused.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, BusyLoadingError, ResponseError

from common_lib.cache import REDIS_FAILURES
from common_lib.http_client import deadline

T = TypeVar("T")
log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 2
# Redis's own word: it did not do what was asked.
_REFUSALS: Final = (ResponseError, BusyLoadingError, AuthenticationError)


class NotWritten(Exception):
    """Nothing was written: Redis could not be reached, or refused."""


class WriteUnknown(Exception):
    """The write may have landed; nobody knows."""


async def write_surely(redis: Redis, write: Callable[[Redis], Awaitable[T]]) -> T:
    """Run a write that changes nothing when it is repeated; repeat it if its answer is lost.

    Ends with the deadline of the request in hand. Raises NotWritten or WriteUnknown.
    """
    may_have_landed = False
    for _ in range(_ATTEMPTS):
        line = redis.client()
        try:
            await line.initialize()  # connects, so that what fails here was not sent
        except REDIS_FAILURES as error:
            raise _word_for(error, may_have_landed=may_have_landed) from error
        try:
            return await write(line)
        except _REFUSALS as error:
            raise _word_for(error, may_have_landed=may_have_landed) from error
        except REDIS_FAILURES as error:
            log.warning("redis.answer_lost", error=type(error).__name__)
            may_have_landed = True
        finally:
            await line.aclose()
        if _is_over():
            break
    raise WriteUnknown


def _word_for(error: Exception, *, may_have_landed: bool) -> Exception:
    return WriteUnknown(str(error)) if may_have_landed else NotWritten(str(error))


def _is_over() -> bool:
    limit = deadline.get()
    return limit is not None and time.monotonic() >= limit
