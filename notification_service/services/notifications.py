"""Use cases of notifications: send a mail once, look the log up, note dead letters."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from common_lib.clock import now
from common_lib.consumer import Delivery, SomeFailed
from common_lib.crash_points import crash_point
from common_lib.database import Database, WriteSession
from common_lib.errors import Unavailable
from common_lib.events.orders import OrderCreated
from common_lib.events.users import is_dead_address
from common_lib.ids import new_id
from common_lib.telemetry import flow_step
from notification_service import queries
from notification_service.clients import MailRefused, MailSender
from notification_service.models import NotificationLog
from notification_service.queries import Filter
from notification_service.schemas import Channel, NotificationStatus
from notification_service.services.mails import Notice

log = structlog.get_logger(__name__)


class BeingSent(Unavailable):
    """Another process has claimed this mail and may be sending it at this moment."""

    code = "being_sent"
    title = "Another process is sending this mail"


@dataclass(frozen=True, slots=True)
class NotificationLogs:
    """The log as it is looked up."""

    db: Database

    async def newest(self, wanted: Filter, limit: int) -> Sequence[NotificationLog]:
        async with self.db.read() as session:
            return await queries.newest(session, wanted, limit)

    async def of_user(
        self, user_id: UUID, after: UUID | None, limit: int
    ) -> Sequence[NotificationLog]:
        """Return what was sent to a user, oldest first, beyond the one named."""
        async with self.db.read_own_writes() as session:
            return await queries.oldest_of_user(session, user_id, after=after, limit=limit)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, and the event that calls for it."""

    delivery: Delivery
    notice: Notice

    @property
    def event_id(self) -> UUID:
        return self.delivery.event_id


@dataclass(slots=True)
class _Claim:
    """The mails of a batch that are ours to send until the lease is over; others hold the rest.

    Once SES or the database turns out to be `away`, none of the rest waits for it as well.
    """

    until: datetime
    taken: dict[UUID, Letter] = field(default_factory=dict)
    held: set[UUID] = field(default_factory=set)
    away: Unavailable | None = None


@dataclass(frozen=True, slots=True)
class Notifications:
    """The log and the sender.

    A mail goes out in three steps: claim it with a lease, hand it to SES, mark it SENT. Mails that
    come together are claimed together. Whatever dies between the last two steps leaves the one
    chance of a second copy; SES has no idempotency. So no more than `at_once` mails are between
    the two: the next waits until the log has heard. A lease that would end within `patience`,
    which handing over may take, is renewed first.
    """

    db: Database
    sender: MailSender
    lease: timedelta
    at_once: int = 1
    patience: timedelta = timedelta(seconds=12)
    # What SES took but the database has not heard of yet: marked, not sent again, on the retry.
    accepted: dict[UUID, str] = field(default_factory=dict)
    # Names this process as the holder; what it holds and is not at work on it may take again.
    _token: UUID = field(default_factory=new_id)
    _at_work: set[UUID] = field(default_factory=set)
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turns", asyncio.Semaphore(self.at_once))

    async def notify_all(self, letters: Sequence[Letter]) -> set[UUID]:
        """Send the mails whose events' mails were not sent before; return the events they are of.

        Nothing goes to a person who was erased, nor is anything written down about one.
        Raises SomeFailed where some could not be sent: BeingSent for one that another process
        holds, MailRefused for one that SES will not take, Unavailable while SES or the database
        is away. Raises Unavailable for all of them. Repeating is safe.
        """
        wanted = {
            letter.event_id: letter
            for letter in letters
            if not is_dead_address(letter.notice.mail.recipient)
        }
        before = self.accepted.keys() & wanted.keys()
        await self._settle()
        mine = {key: wanted[key] for key in wanted.keys() - before - self._at_work}
        others = wanted.keys() - before - mine.keys()
        self._at_work.update(mine)
        try:
            return before | await self._notify(mine, others)
        finally:
            self._at_work.difference_update(mine)

    async def _notify(self, mine: dict[UUID, Letter], others: Collection[UUID]) -> set[UUID]:
        claim = await self._claim(mine)
        errors: dict[UUID, Exception] = {key: BeingSent() for key in {*others, *claim.held}}
        for event_id in mine.keys() - claim.taken.keys() - claim.held:
            log.info("mail.not_sent", event_id=str(event_id))
        outcomes = await asyncio.gather(
            *(self._deliver(letter, claim) for letter in claim.taken.values()),
            return_exceptions=True,
        )
        sent = set()
        for event_id, outcome in zip(claim.taken, outcomes, strict=True):
            if outcome is None:
                sent.add(event_id)
            elif isinstance(outcome, Exception):
                errors[event_id] = outcome
            else:
                raise outcome
        if errors:
            raise SomeFailed(errors)
        return sent

    async def _deliver(self, letter: Letter, claim: _Claim) -> None:
        async with self._turns:
            if claim.away is not None:
                raise claim.away
            try:
                with letter.delivery.bound():
                    await self._send(letter, claim)
            except BeingSent:
                raise
            except Unavailable as error:
                claim.away = error
                raise

    async def _send(self, letter: Letter, claim: _Claim) -> None:
        await self._settle()
        if now() + self.patience > claim.until and not await self._renew(letter.event_id):
            raise BeingSent
        crash_point("mail.before_ses")
        self.accepted[letter.event_id] = await self._hand_over(letter)
        crash_point("mail.after_ses_before_sent")
        started = time.perf_counter()
        await self._record(letter.event_id)
        _step(14, letter, started)

    async def _settle(self) -> None:
        """Record what SES took while the database was away. Raises Unavailable while it is."""
        for event_id in tuple(self.accepted):
            await self._record(event_id)

    async def forget(self, user_id: UUID) -> None:
        """Take an erased user's address out of the log (ADR 0031). Safe to repeat."""
        await self.db.transact(lambda session: queries.forget(session, user_id))

    async def mark_dead(self, event_ids: Sequence[UUID]) -> None:
        """Note in the log that these messages lie in the dead letter queue. Safe to repeat."""
        if event_ids:
            await self.db.transact(lambda session: queries.mark_dead(session, event_ids))

    async def _claim(self, letters: Mapping[UUID, Letter]) -> _Claim:
        """Take the lease of the mails that were not sent and may be."""
        claim = _Claim(now() + self.lease)
        if not letters:
            return claim

        async def work(session: WriteSession) -> _Claim:
            moment = now()
            taken = _Claim(moment + self.lease)
            people = {each.notice.user_id for each in letters.values() if each.notice.user_id}
            erased = await queries.forgotten_among(session, people)
            wanted = {
                key: each for key, each in letters.items() if each.notice.user_id not in erased
            }
            if not wanted:
                return taken
            values = [_values(wanted[key]) for key in sorted(wanted, key=lambda key: key.bytes)]
            await queries.insert_unless_known(session, values)
            for row in await queries.lock_by_events(session, wanted, Channel.EMAIL):
                if row.status is NotificationStatus.SENT:
                    continue
                if row.is_leased(moment) and row.lease_token != self._token:
                    taken.held.add(row.event_id)
                    continue
                row.take(self._token, moment, taken.until)
                taken.taken[row.event_id] = wanted[row.event_id]
            return taken

        return await self.db.transact(work)

    async def _renew(self, event_id: UUID) -> bool:
        """Take the lease anew; False if the mail is no longer ours to send."""

        async def work(session: WriteSession) -> bool:
            row = await queries.lock_by_event(session, event_id, Channel.EMAIL)
            if row is None or row.lease_token != self._token:
                return False
            row.take(self._token, now(), now() + self.lease)
            return True

        return await self.db.transact(work)

    async def _hand_over(self, letter: Letter) -> str:
        started = time.perf_counter()
        try:
            message_id = await self.sender.send(letter.notice.mail)
        except MailRefused as error:
            await self._note_failure(letter.event_id, error, NotificationStatus.FAILED)
            raise
        except Unavailable as error:
            await self._note_failure(letter.event_id, error, NotificationStatus.PENDING)
            raise
        _step(13, letter, started)
        return message_id

    async def _record(self, event_id: UUID) -> None:
        message_id = self.accepted.get(event_id)
        if message_id is None:
            return

        async def work(session: WriteSession) -> None:
            row = await queries.lock_by_event(session, event_id, Channel.EMAIL)
            if row is not None and row.status is not NotificationStatus.SENT:
                row.sent(now(), message_id)

        await self.db.transact(work)
        self.accepted.pop(event_id, None)

    async def _note_failure(
        self, event_id: UUID, error: MailRefused | Unavailable, status: NotificationStatus
    ) -> None:
        async def work(session: WriteSession) -> None:
            row = await queries.lock_by_event(session, event_id, Channel.EMAIL)
            if row is not None and row.status is not NotificationStatus.SENT:
                row.failed(now(), error.detail, status)

        await self.db.transact(work)


def _values(letter: Letter) -> dict[str, object]:
    envelope, notice, moment = letter.delivery.envelope, letter.notice, now()
    return {
        "id": new_id(),
        "event_id": envelope.event_id,
        "event_type": envelope.event_type,
        "channel": Channel.EMAIL,
        "user_id": notice.user_id,
        "order_id": notice.order_id,
        "recipient": notice.mail.recipient,
        "subject": notice.mail.subject,
        "status": NotificationStatus.PENDING,
        "retry_count": 0,
        "created_at": moment,
        "updated_at": moment,
    }


def _step(number: int, letter: Letter, started: float) -> None:
    """Log one of the order flow's steps; the other mails belong to no flow."""
    if letter.delivery.envelope.event_type == OrderCreated.event_type:
        flow_step(number, (time.perf_counter() - started) * 1000)
