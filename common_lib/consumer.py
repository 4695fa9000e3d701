"""Draining a queue: receive, handle once, delete; what fails comes again and ends in the DLQ.

SQS delivers at least once. The inbox makes twice equal once: the event's id is inserted in the same
transaction as the effect (https://microservices.io/patterns/communication-style/idempotent-consumer.html).
What is received together is handled together, in one transaction, and one by one where that fails.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

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


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it arrived, with the trace of the request that caused it."""

    envelope: Envelope
    traceparent: str | None = None
    queue: str = ""

    @property
    def event_id(self) -> UUID:
        return self.envelope.event_id

    def bound(self) -> AbstractContextManager[None]:
        """Continue the trace and the request's id in what is done about the event."""
        request_id = self.envelope.correlation_id
        return bound_trace(self.traceparent, request_id, name=f"consume {self.queue}")


class SomeFailed(Exception):
    """All of a batch is done but these events; each failed for a reason of its own."""

    def __init__(self, errors: Mapping[UUID, Exception]) -> None:
        super().__init__(f"{len(errors)} events failed")
        self.errors = errors


class HeardMeanwhile(Exception):
    """Another process heard of one of a batch's events just now: ask for each alone."""


Heard = tuple[Event, Delivery]
# Does all that was delivered, or raises; asking again for what is done already must be safe.
Process = Callable[[Sequence[Delivery]], Awaitable[None]]
Handler = Callable[[WriteSession, Any, Envelope], Awaitable[None]]
HandleAll = Callable[[WriteSession, Sequence[Heard]], Awaitable[None]]

CONSUMED = Counter("consumer_messages_total", "Messages handled", ["queue", "outcome"])

INBOX_KEPT_DAYS: Final = 14  # as long as SQS can keep a message
_HEARTBEAT_S: Final = 20.0
_LONGEST_HOLD_PAUSE_S: Final = 15.0
_POLL_END_GRACE_S: Final = 2.0
_DELETE_EVERY_S: Final = 1.0

_INSERT_INBOX: Final = sa.text(
    "INSERT IGNORE INTO inbox (consumer, event_id, received_at) VALUES (:consumer, :event_id, :at)"
)
_SELECT_INBOX: Final = sa.text(
    "SELECT event_id FROM inbox WHERE consumer = :consumer AND event_id IN :event_ids"
).bindparams(sa.bindparam("event_ids", expanding=True))
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
    """Return a process that runs each event's handler once, in one transaction with its inbox row.

    An event type without a handler is acknowledged; an unknown one raises InvalidEvent.
    """

    async def handle(session: WriteSession, heard: Sequence[Heard]) -> None:
        for event, delivery in heard:
            with delivery.bound():
                await handlers[type(event)](session, event, delivery.envelope)

    return with_inbox_together(database, consumer, handlers, handle)


def with_inbox_together(
    database: Database, consumer: str, kinds: Collection[type[Event]], handle: HandleAll
) -> Process:
    """Return a process that hands on, once, all events of these kinds in one transaction.

    Other kinds are acknowledged; an unknown one raises InvalidEvent.
    """

    async def process(deliveries: Sequence[Delivery]) -> None:
        heard = {each.event_id: (event_from(each.envelope), each) for each in deliveries}
        wanted = {key: pair for key, pair in heard.items() if type(pair[0]) in kinds}
        if not wanted:
            return

        async def once(session: WriteSession) -> None:
            fresh = await _first_heard(session, consumer, wanted)
            if fresh:
                await handle(session, [wanted[event_id] for event_id in fresh])

        await database.transact(once)

    return process


async def _first_heard(
    session: WriteSession, consumer: str, event_ids: Collection[UUID]
) -> list[UUID]:
    """Write the inbox rows of the events not heard of before, and return those, in order."""
    raw = [event_id.bytes for event_id in event_ids]
    found = await session.execute(_SELECT_INBOX, {"consumer": consumer, "event_ids": raw})
    known = {bytes(row.event_id) for row in found}
    fresh = [event_id for event_id in event_ids if event_id.bytes not in known]
    at = to_column(now())
    rows = [{"consumer": consumer, "event_id": each.bytes, "at": at} for each in fresh]
    inserted = await session.execute(_INSERT_INBOX, rows) if rows else None
    if inserted is None or inserted.rowcount == len(rows):  # type: ignore[attr-defined]
        return fresh
    if len(rows) > 1:
        raise HeardMeanwhile
    return []


async def prune_inbox(database: Database) -> None:
    """Forget events older than any message that could still come."""

    async def work(session: WriteSession) -> None:
        before = to_column(now() - timedelta(days=INBOX_KEPT_DAYS))
        await session.execute(_PRUNE_INBOX, {"before": before})

    await database.transact(work)


class Consumer:
    """Drains one queue, ten messages at a time.

    They are processed together, and where that fails each for itself. A process that returns has
    done its work: the messages are deleted. One that raises leaves them: they come again, three
    times in all, and then lie in the dead letter queue. One that raises Unavailable says that what
    it needs is away as a whole: the message is held and tried again, and nothing more is received
    meanwhile, so that an outage burns no receives.
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
        errors: Mapping[UUID, Exception] = {}
        if len(messages) > 1:
            try:
                messages, errors = await self._handle_together(messages)
            except Exception as error:  # noqa: BLE001 - each is tried alone, and tells why
                log.info("consumer.one_by_one", queue=self._queue, error=type(error).__name__)
        await self._handle_each(messages, errors, stop)

    async def _handle_together(
        self, messages: list[ReceivedMessage]
    ) -> tuple[list[ReceivedMessage], Mapping[UUID, Exception]]:
        """Process and delete as one; return what is left of them, and why. Raises if all is."""
        deliveries = [self._delivery(message) for message in messages]
        errors: Mapping[UUID, Exception] = {}
        heartbeat = asyncio.create_task(self._keep_invisible(messages))
        try:
            await self._process(deliveries)
        except SomeFailed as failed:
            errors = failed.errors
        finally:
            heartbeat.cancel()
        pairs = list(zip(messages, deliveries, strict=True))
        done = [message.receipt for message, each in pairs if each.event_id not in errors]
        CONSUMED.labels(self._queue, "handled").inc(len(done))
        await self._delete(done)
        return [message for message, each in pairs if each.event_id in errors], errors

    async def _handle_each(
        self,
        messages: list[ReceivedMessage],
        errors: Mapping[UUID, Exception],
        stop: asyncio.Event,
    ) -> None:
        """Handle messages apart and delete what is done, also while others are still held."""
        handling = {asyncio.create_task(self._handle(one, errors, stop)): one for one in messages}
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

    async def _handle(
        self, message: ReceivedMessage, errors: Mapping[UUID, Exception], stop: asyncio.Event
    ) -> bool:
        """Return whether the message may be deleted; one that may not is given back."""
        heartbeat = asyncio.create_task(self._keep_invisible([message]))
        try:
            is_done = await self._until_answered(message, errors, stop)
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

    async def _until_answered(
        self, message: ReceivedMessage, errors: Mapping[UUID, Exception], stop: asyncio.Event
    ) -> bool:
        """Return True once processed, False if stopped before; an outage is waited out here."""
        delivery = self._delivery(message)
        error = errors.get(delivery.event_id)
        pause_s = 0.5
        while True:
            try:
                if error is not None:
                    raise error
                await self._process([delivery])
            except SomeFailed as failed:
                error = failed.errors[delivery.event_id]
            except Unavailable as away:
                with delivery.bound():
                    log.warning("consumer.held", queue=self._queue, reason=away.code)
                error, pause_s = None, min(pause_s * 2, _LONGEST_HOLD_PAUSE_S)
                await _rest(stop, pause_s)
                if stop.is_set():
                    return False
            else:
                return True

    def _delivery(self, message: ReceivedMessage) -> Delivery:
        """Read a message; raises InvalidEvent."""
        trace = message.attributes.get("traceparent")
        return Delivery(parse_envelope(message.body), trace, self._queue)

    async def _keep_invisible(self, messages: Sequence[ReceivedMessage]) -> None:
        while True:
            await asyncio.sleep(min(_HEARTBEAT_S, self._visibility_s / 3))
            for message in messages:
                await self._extend(message, self._visibility_s)

    async def _extend(self, message: ReceivedMessage, seconds: int) -> None:
        with contextlib.suppress(Unavailable):
            await self._bus.extend(self._queue, message.receipt, seconds)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
