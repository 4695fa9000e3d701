"""Draining a queue: receive, handle once, delete; what fails comes again and ends in the DLQ.

SQS delivers at least once. The inbox makes twice equal once: the event's id is inserted in the same
transaction as the effect (https://microservices.io/patterns/communication-style/idempotent-consumer.html).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
import structlog
from prometheus_client import Counter

from common_lib.bus import Bus, ReceivedMessage
from common_lib.clock import now
from common_lib.crash_points import crash_point
from common_lib.database import TABLE_OPTIONS, Database, Id, UtcDateTime, WriteSession, to_column
from common_lib.errors import Unavailable
from common_lib.events import Envelope, Event, InvalidEvent, event_from, parse_envelope
from common_lib.telemetry import bound_trace

log = structlog.get_logger(__name__)

Process = Callable[[Envelope], Awaitable[None]]
Handler = Callable[[WriteSession, Any, Envelope], Awaitable[None]]

CONSUMED = Counter("consumer_messages_total", "Messages handled", ["queue", "outcome"])

INBOX_KEPT_DAYS: Final = 14  # as long as SQS can keep a message
_HEARTBEAT_S: Final = 20.0
_LONGEST_HOLD_PAUSE_S: Final = 15.0
_POLL_END_GRACE_S: Final = 2.0
_DELETE_EVERY_S: Final = 1.0

_INSERT_INBOX: Final = sa.text(
    "INSERT IGNORE INTO inbox (consumer, event_id, received_at) VALUES (:consumer, :event_id, :at)"
)
_PRUNE_INBOX: Final = sa.text("DELETE FROM inbox WHERE received_at < :before LIMIT 1000")


def define_inbox(metadata: sa.MetaData) -> "sa.Table[Any]":
    """Declare the table `inbox` in a service's schema."""
    return sa.Table("inbox", metadata, *_columns(), **TABLE_OPTIONS)


def create_inbox(operations: Any) -> None:
    """Create the table in a migration; `operations` is Alembic's `op`."""
    operations.create_table("inbox", *_columns(), **TABLE_OPTIONS)


def _columns() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("consumer", sa.String(64), nullable=False),
        sa.Column("event_id", Id(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id"),
        sa.Index("ix_inbox_received_at", "received_at"),
    ]


def with_inbox(
    database: Database, consumer: str, handlers: Mapping[type[Event], Handler]
) -> Process:
    """Return a process that runs an event's handler once, in one transaction with its inbox row.

    An event type without a handler is acknowledged; an unknown one raises InvalidEvent.
    """

    async def process(envelope: Envelope) -> None:
        event = event_from(envelope)
        handler = handlers.get(type(event))
        if handler is None:
            return

        async def once(session: WriteSession) -> None:
            if await _is_first(session, consumer, envelope):
                await handler(session, event, envelope)

        await database.transact(once)

    return process


async def _is_first(session: WriteSession, consumer: str, envelope: Envelope) -> bool:
    values = {"consumer": consumer, "event_id": envelope.event_id.bytes, "at": to_column(now())}
    inserted = await session.execute(_INSERT_INBOX, values)
    return bool(inserted.rowcount)  # type: ignore[attr-defined]


async def prune_inbox(database: Database) -> None:
    """Forget events older than any message that could still come."""

    async def work(session: WriteSession) -> None:
        before = to_column(now() - timedelta(days=INBOX_KEPT_DAYS))
        await session.execute(_PRUNE_INBOX, {"before": before})

    await database.transact(work)


class Consumer:
    """Drains one queue, ten messages at a time.

    A process that returns has done its work: the message is deleted. One that raises leaves it: it
    comes again, three times in all, and then lies in the dead letter queue. One that raises
    Unavailable says that what it needs is away as a whole: the message is held and tried again, and
    nothing more is received meanwhile, so that an outage burns no receives.
    """

    def __init__(
        self, bus: Bus, queue: str, process: Process, *, wait_s: int = 20, visibility_s: int = 60
    ) -> None:
        self._bus = bus
        self._queue = queue
        self._process = process
        self._wait_s = wait_s
        self._visibility_s = visibility_s

    async def run(self, stop: asyncio.Event) -> None:
        """Receive and handle until stopped; what is in hand then is finished or given back."""
        while not stop.is_set():
            try:
                messages = await self._receive(stop)
                await self._handle_all(messages, stop)
            except Unavailable:
                await _rest(stop, 1.0)

    async def _receive(self, stop: asyncio.Event) -> list[ReceivedMessage]:
        """Long-poll; a stop ends the poll after a moment, so that no message is lost in it."""
        poll = asyncio.ensure_future(
            self._bus.receive(self._queue, wait_s=self._wait_s, visibility_s=self._visibility_s)
        )
        ended = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({poll, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not poll.done():
                await asyncio.wait({poll}, timeout=_POLL_END_GRACE_S)
            return poll.result() if poll.done() else []
        finally:
            ended.cancel()
            poll.cancel()

    async def _handle_all(self, messages: list[ReceivedMessage], stop: asyncio.Event) -> None:
        """Handle messages at once and delete what is done, also while others are still held."""
        handling = {asyncio.create_task(self._handle(one, stop)): one for one in messages}
        try:
            while handling:
                ended, _ = await asyncio.wait(handling, timeout=_DELETE_EVERY_S)
                outcomes = {handling.pop(task).receipt: task.result() for task in ended}
                await self._delete([receipt for receipt, is_done in outcomes.items() if is_done])
        finally:
            for task in handling:
                task.cancel()

    async def _delete(self, receipts: list[str]) -> None:
        """Delete what is done; what stays behind comes again and is known by its inbox row."""
        if not receipts:
            return
        crash_point("consumer.after_effect_before_delete")
        with contextlib.suppress(Unavailable):
            await self._bus.delete(self._queue, receipts)

    async def _handle(self, message: ReceivedMessage, stop: asyncio.Event) -> bool:
        """Return whether the message may be deleted; one that may not is given back."""
        heartbeat = asyncio.create_task(self._keep_invisible(message))
        try:
            is_done = await self._until_answered(message, stop)
            again_s = 0
        except Exception as error:  # noqa: BLE001 - whatever it is, the message stays
            self._report(message, error)
            is_done = False
            again_s = min(2**message.receive_count, self._visibility_s)
        finally:
            heartbeat.cancel()
        CONSUMED.labels(self._queue, "handled" if is_done else "left").inc()
        if not is_done:
            await self._extend(message, again_s)
        return is_done

    def _report(self, message: ReceivedMessage, error: Exception) -> None:
        is_unreadable = isinstance(error, InvalidEvent)
        log.warning(
            "consumer.failed",
            queue=self._queue,
            receive_count=message.receive_count,
            error=type(error).__name__,
            reason=str(error) if is_unreadable else None,
            exc_info=None if is_unreadable else error,
        )

    async def _until_answered(self, message: ReceivedMessage, stop: asyncio.Event) -> bool:
        """Return True once processed, False if stopped before; an outage is waited out here."""
        envelope = parse_envelope(message.body)
        trace = message.attributes.get("traceparent")
        pause_s = 0.5
        while True:
            try:
                with bound_trace(trace, envelope.correlation_id, name=f"consume {self._queue}"):
                    await self._process(envelope)
            except Unavailable as error:
                log.warning("consumer.held", queue=self._queue, reason=error.code)
                pause_s = min(pause_s * 2, _LONGEST_HOLD_PAUSE_S)
                await _rest(stop, pause_s)
                if stop.is_set():
                    return False
            else:
                return True

    async def _keep_invisible(self, message: ReceivedMessage) -> None:
        while True:
            await asyncio.sleep(min(_HEARTBEAT_S, self._visibility_s / 3))
            await self._extend(message, self._visibility_s)

    async def _extend(self, message: ReceivedMessage, seconds: int) -> None:
        with contextlib.suppress(Unavailable):
            await self._bus.extend(self._queue, message.receipt, seconds)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
