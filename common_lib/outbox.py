"""The transactional outbox: an event's row commits with the state it tells of, or not at all.

A relay publishes the rows (https://microservices.io/patterns/data/transactional-outbox.html). It
selects what is *unpublished*, never `id > last`: ids commit out of order, and a cursor would step
over a row that commits late. One relay leads per database by GET_LOCK; if two ever overlap they
make duplicates, which every consumer drops.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
import structlog
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.asyncio import AsyncConnection

from common_lib.bus import MAX_BATCH, Bus, OutgoingMessage
from common_lib.cache import REDIS_FAILURES
from common_lib.clock import now
from common_lib.crash_points import crash_point
from common_lib.database import TABLE_OPTIONS, Database, Id, UtcDateTime, WriteSession, to_column
from common_lib.errors import Unavailable
from common_lib.events import Envelope, Event, types_with_token
from common_lib.events.orders import OrderCreated
from common_lib.telemetry import bound_trace, current_request_id, current_trace, flow_step

log = structlog.get_logger(__name__)

KEPT_DAYS: Final = 7
MAX_ATTEMPTS: Final = 10
_SELECT_LIMIT: Final = 400
_CONCURRENT_BATCHES: Final = 4
# A batch may hold 256 KiB in all; attributes count too.
_MAX_BATCH_BYTES: Final = 240 * 1024
_POLL_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 5.0
_LEADER_WAIT_S: Final = 1
_GAUGE_EVERY_S: Final = 5.0
_LONGEST_BACKOFF_S: Final = 300

PUBLISHED = Counter("outbox_published_total", "Events published", ["source"])
REFUSED = Counter("outbox_refused_total", "Events the bus refused", ["source"])
PENDING = Gauge("outbox_pending", "Events waiting to be published", ["source"])
PARKED = Gauge("outbox_parked", "Events parked after too many refusals", ["source"])
LAG = Gauge("outbox_lag_seconds", "Age of the oldest unpublished event", ["source"])

INSERT_OUTBOX: Final = (
    "INSERT INTO outbox"
    " (id, topic, aggregate_key, event_type, version, body, traceparent, request_id, created_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
OutboxValues = tuple[bytes, str, str, str, int, bytes, str | None, str | None, datetime]

_COLUMN_NAMES: Final = (
    "id",
    "topic",
    "aggregate_key",
    "event_type",
    "version",
    "body",
    "traceparent",
    "request_id",
    "created_at",
)
_INSERT: Final = sa.text(
    "INSERT INTO outbox"
    " (id, topic, aggregate_key, event_type, version, body, traceparent, request_id, created_at)"
    " VALUES (:id, :topic, :aggregate_key, :event_type, :version, :body, :traceparent,"
    " :request_id, :created_at)"
)
# A refused row holds the later rows of its aggregate. They are left out here and not after the
# fetch: held rows would otherwise fill the limit and stall everybody else.
_SELECT_DUE: Final = sa.text(
    "SELECT o.id, o.topic, o.event_type, o.version, o.body, o.traceparent, o.request_id, o.attempts"
    " FROM outbox o LEFT JOIN ("
    "  SELECT aggregate_key, MIN(id) AS first_id FROM outbox"
    "  WHERE next_attempt_at IS NOT NULL AND published_at IS NULL"
    "  AND (parked_at IS NOT NULL OR next_attempt_at > :now) GROUP BY aggregate_key"
    " ) held ON held.aggregate_key = o.aggregate_key AND held.first_id <= o.id"
    " WHERE o.published_at IS NULL AND held.aggregate_key IS NULL ORDER BY o.id LIMIT :limit"
)
_MARK_PUBLISHED: Final = sa.text(
    "UPDATE outbox SET published_at = :at, next_attempt_at = NULL WHERE id IN :ids"
).bindparams(sa.bindparam("ids", expanding=True))
# A token that was sent has no business in a table that is kept for days and backed up.
_STRIKE_TOKENS: Final = sa.text(
    "UPDATE outbox SET body = JSON_REMOVE(CONVERT(body USING utf8mb4), '$.data.token')"
    " WHERE id IN :ids"
).bindparams(sa.bindparam("ids", expanding=True))
_MARK_REFUSED: Final = sa.text(
    "UPDATE outbox SET attempts = :attempts, next_attempt_at = :next_attempt_at,"
    " parked_at = :parked_at, last_error = :last_error WHERE id = :id"
)
_MEASURE: Final = sa.text(
    "SELECT COUNT(*), COALESCE(SUM(parked_at IS NOT NULL), 0), MIN(created_at)"
    " FROM outbox WHERE published_at IS NULL"
)
_PRUNE: Final = sa.text("DELETE FROM outbox WHERE published_at < :before LIMIT 1000")


def define_outbox(metadata: sa.MetaData) -> "sa.Table[Any]":
    """Declare the table `outbox` in a service's schema."""
    return sa.Table("outbox", metadata, *_columns(), **TABLE_OPTIONS)


def create_outbox(operations: Any) -> None:
    """Create the table in a migration; `operations` is Alembic's `op`."""
    operations.create_table("outbox", *_columns(), **TABLE_OPTIONS)


def _columns() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", Id(), primary_key=True),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("aggregate_key", sa.String(64), nullable=False),
        sa.Column("event_type", sa.String(64), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("body", mysql.MEDIUMBLOB(), nullable=False),
        sa.Column("traceparent", sa.String(64), nullable=True),
        sa.Column("request_id", sa.String(128), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("parked_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.String(255), nullable=True),
        sa.Index("ix_outbox_pending", "published_at", "id"),
        sa.Index("ix_outbox_held", "next_attempt_at", "aggregate_key", "id"),
    ]


OutboxRow = Mapping[str, Any]


async def enqueue(session: WriteSession, *events: Event, source: str) -> None:
    """Write events into the outbox within the caller's transaction; they leave after its commit."""
    await enqueue_rows(session, [outbox_row(event, source) for event in events])


def outbox_row(event: Event, source: str) -> OutboxRow:
    """Return an event's row, with the trace that is bound at this moment."""
    return dict(zip(_COLUMN_NAMES, outbox_values(event, source), strict=True))


async def enqueue_rows(session: WriteSession, rows: Sequence[OutboxRow]) -> None:
    """Write rows that were made under traces of their own."""
    if rows:
        await session.execute(_INSERT, list(rows))


def outbox_values(event: Event, source: str) -> OutboxValues:
    """Return the values of INSERT_OUTBOX for an event, for hand-written transactions."""
    trace, request_id = current_trace(), current_request_id()
    envelope = Envelope.wrap(event, source=source, correlation_id=request_id)
    return (
        envelope.event_id.bytes,
        event.topic.value,
        envelope.key,
        envelope.event_type,
        envelope.version,
        # SQS takes no character that XML lacks (U+FFFE, U+FFFF): SNS accepts it and loses it there.
        envelope.model_dump_json(by_alias=True, ensure_ascii=True).encode(),
        trace.traceparent if trace else None,
        request_id,
        to_column(envelope.occurred_at),
    )


def wake_channel(source: str) -> str:
    return f"outbox-wake:{source}"


async def wake(redis: Redis, source: str) -> None:
    """Tell the relay that a commit has just added events; never raises, the relay also polls."""
    try:
        await redis.publish(wake_channel(source), b"1")
    except REDIS_FAILURES:
        return


@dataclass(frozen=True, slots=True)
class _Row:
    id: bytes
    topic: str
    event_type: str
    version: int
    body: bytes
    traceparent: str | None
    request_id: str | None
    attempts: int

    @property
    def is_struck(self) -> bool:
        """Whether the token it told of was struck out: nobody could do anything with it."""
        return self.event_type in types_with_token() and b'"token"' not in self.body

    def message(self) -> OutgoingMessage:
        attributes = {"eventType": self.event_type, "version": str(self.version)}
        if self.traceparent:
            attributes["traceparent"] = self.traceparent
        return OutgoingMessage(self.id.hex(), self.body.decode(), attributes)


class Relay:
    """Publishes one database's outbox in batches of ten, woken by commits."""

    def __init__(self, database: Database, bus: Bus, redis: Redis, *, source: str) -> None:
        self._database = database
        self._bus = bus
        self._redis = redis
        self._source = source
        self._woken = asyncio.Event()
        self._measured_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Lead or wait to lead, until stopped. Outages are waited out."""
        listener = asyncio.create_task(self._listen(stop))
        try:
            while not stop.is_set():
                await self._lead_once(stop)
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def drain(self) -> int:
        """Publish what is due now and return how many; for one-off use without the loop."""
        async with self._database.connection() as connection:
            return await self._drain(connection)

    async def _lead_once(self, stop: asyncio.Event) -> None:
        """Lead until the connection, which holds the lock, is lost."""
        try:
            async with self._database.connection() as connection:
                if await self._take_lead(connection):
                    log.info("relay.leads", source=self._source)
                    try:
                        await self._follow_commits(connection, stop)
                    finally:
                        await connection.invalidate()
        except Unavailable:
            await _stopped_within(stop, _POLL_S)

    async def _take_lead(self, connection: AsyncConnection) -> bool:
        name = sa.text("SELECT GET_LOCK(CONCAT('outbox:', DATABASE()), :wait)")
        taken = (await connection.execute(name, {"wait": _LEADER_WAIT_S})).scalar()
        await connection.commit()
        return taken == 1

    async def _follow_commits(self, connection: AsyncConnection, stop: asyncio.Event) -> None:
        pause_s = _POLL_S
        while not stop.is_set():
            self._woken.clear()
            try:
                published = await self._drain(connection)
            except Unavailable:
                await connection.rollback()
                await connection.execute(sa.text("SELECT 1"))  # raises if it is the database
                await connection.commit()
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                await _stopped_within(stop, pause_s)  # commits go on meanwhile and do not hurry it
                continue
            pause_s = _POLL_S
            await self._measure(connection)
            if published == 0:
                await self._rest(stop)

    async def _drain(self, connection: AsyncConnection) -> int:
        due = await self._due(connection)
        batches = list(_batches(due))
        for start in range(0, len(batches), _CONCURRENT_BATCHES):
            await self._publish_and_mark(connection, batches[start : start + _CONCURRENT_BATCHES])
        return len(due)

    async def _publish_and_mark(
        self, connection: AsyncConnection, batches: Sequence[Sequence[_Row]]
    ) -> None:
        """Publish batches at once and mark what went out, also when one of them failed."""
        outcomes = await asyncio.gather(
            *(self._publish(batch) for batch in batches), return_exceptions=True
        )
        crash_point("relay.after_publish_before_mark")
        for batch, outcome in zip(batches, outcomes, strict=True):
            if not isinstance(outcome, BaseException):
                await self._mark(connection, batch, outcome)
        await connection.commit()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _due(self, connection: AsyncConnection) -> list[_Row]:
        found = await connection.execute(
            _SELECT_DUE, {"limit": _SELECT_LIMIT, "now": to_column(now())}
        )
        rows = [_Row(*row) for row in found]
        await connection.commit()
        return rows

    async def _publish(self, batch: Sequence[_Row]) -> Mapping[str, str]:
        started = time.perf_counter()
        messages = [row.message() for row in batch if not row.is_struck]
        refused = await self._bus.publish(batch[0].topic, messages) if messages else {}
        elapsed_ms = (time.perf_counter() - started) * 1000
        for row in batch:
            if row.event_type == OrderCreated.event_type and row.id.hex() not in refused:
                with bound_trace(row.traceparent, row.request_id, name="relay"):
                    flow_step(10, elapsed_ms)
        return refused

    async def _mark(
        self, connection: AsyncConnection, batch: Sequence[_Row], refused: Mapping[str, str]
    ) -> None:
        at = to_column(now())
        accepted = [row for row in batch if row.id.hex() not in refused]
        if accepted:
            ids = [row.id for row in accepted]
            await connection.execute(_MARK_PUBLISHED, {"at": at, "ids": ids})
            PUBLISHED.labels(self._source).inc(len(accepted))
        tokens = [row.id for row in accepted if row.event_type in types_with_token()]
        if tokens:
            await connection.execute(_STRIKE_TOKENS, {"ids": tokens})
        for row in batch:
            if (reason := refused.get(row.id.hex())) is not None:
                await connection.execute(_MARK_REFUSED, self._refusal(row, reason, at))

    def _refusal(self, row: _Row, reason: str, at: datetime) -> dict[str, Any]:
        attempts = row.attempts + 1
        is_parked = attempts >= MAX_ATTEMPTS
        REFUSED.labels(self._source).inc()
        log.warning(
            "relay.refused", event_id=str(UUID(bytes=row.id)), reason=reason, is_parked=is_parked
        )
        return {
            "id": row.id,
            "attempts": attempts,
            "next_attempt_at": at + timedelta(seconds=min(2**attempts, _LONGEST_BACKOFF_S)),
            "parked_at": at if is_parked else None,
            "last_error": reason[:255],
        }

    async def _measure(self, connection: AsyncConnection) -> None:
        if time.monotonic() - self._measured_at < _GAUGE_EVERY_S:
            return
        self._measured_at = time.monotonic()
        pending, parked, oldest = (await connection.execute(_MEASURE)).one()
        lag_s = (to_column(now()) - oldest).total_seconds() if oldest else 0.0
        PENDING.labels(self._source).set(pending)
        PARKED.labels(self._source).set(int(parked))
        LAG.labels(self._source).set(lag_s)
        await connection.execute(_PRUNE, {"before": to_column(now() - timedelta(days=KEPT_DAYS))})
        await connection.commit()

    async def _rest(self, stop: asyncio.Event) -> None:
        """Wait for a wake-up, the stop or the next poll, whichever is first."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._woken, stop)]
        try:
            await asyncio.wait(waiting, timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def _listen(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(wake_channel(self._source))
                    while not stop.is_set():
                        if await channel.get_message(ignore_subscribe_messages=True, timeout=1.0):
                            self._woken.set()
            except REDIS_FAILURES:
                await _stopped_within(stop, _POLL_S)


async def _stopped_within(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _batches(rows: Iterable[_Row]) -> Iterable[list[_Row]]:
    """Group rows by topic into batches within SNS's limits of count and size."""
    open_batches: dict[str, list[_Row]] = {}
    for row in rows:
        batch = open_batches.setdefault(row.topic, [])
        size = sum(len(other.body) for other in batch)
        if len(batch) == MAX_BATCH or (batch and size + len(row.body) > _MAX_BATCH_BYTES):
            yield batch
            batch = open_batches[row.topic] = []
        batch.append(row)
    yield from (batch for batch in open_batches.values() if batch)
