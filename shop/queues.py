"""The queues of the event bus as the operator's tools see them: how full, and in which life."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

from common_lib.bus import aws_client_arguments, aws_client_config
from common_lib.bus.sessions import new_session
from common_lib.settings import ServiceSettings

QUEUES: Final = ("notification-queue", "catalog-queue", "order-queue")
DEAD_LETTERS: Final = ("notification-dlq", "catalog-dlq", "order-dlq")
# A bus that lost its memory has lost this, too.
MARK: Final = "shop-restored-at"
_COUNTED: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_TIMEOUT_S: Final = 10


class QueueMissing(Exception):
    """The bus does not know this queue, or not yet: it has just been started anew."""


@asynccontextmanager
async def sqs_of(settings: ServiceSettings) -> AsyncIterator[Any]:
    """Open a client of the deployment's SQS; what it cannot do raises botocore's errors."""
    config = aws_client_config(read_timeout_s=_TIMEOUT_S)
    arguments = aws_client_arguments(settings)
    async with _session().client("sqs", **arguments, config=config) as sqs:
        yield sqs


async def queue_depths(settings: ServiceSettings) -> dict[str, int]:
    """Return the number of messages, visible or in flight, of each queue and its DLQ.

    Raises QueueMissing.
    """
    async with sqs_of(settings) as sqs:
        return {queue: await _depth(sqs, queue) for queue in (*QUEUES, *DEAD_LETTERS)}


async def is_fresh(sqs: Any) -> bool:
    """Tell whether a queue has come into being since the bus was last restored.

    Raises QueueMissing.
    """
    for queue in (*QUEUES, *DEAD_LETTERS):
        tags = await sqs.list_queue_tags(QueueUrl=await _url(sqs, queue))
        if MARK not in tags.get("Tags", {}):
            return True
    return False


async def mark_restored(sqs: Any, moment: str) -> None:
    """Write into the bus itself that all was published again which it could not know."""
    for queue in (*QUEUES, *DEAD_LETTERS):
        await sqs.tag_queue(QueueUrl=await _url(sqs, queue), Tags={MARK: moment})


async def _depth(sqs: Any, queue: str) -> int:
    answer = await sqs.get_queue_attributes(
        QueueUrl=await _url(sqs, queue), AttributeNames=list(_COUNTED)
    )
    return sum(int(answer["Attributes"][name]) for name in _COUNTED)


async def _url(sqs: Any, queue: str) -> str:
    try:
        url: str = (await sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        raise QueueMissing(queue) from None
    return url


@cache
def _session() -> Any:
    """One for all clients: each session reads the descriptions of AWS anew."""
    return new_session()
