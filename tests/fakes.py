"""Stand-ins for parts we do not control, for unit tests only."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from common_lib.bus import OutgoingMessage, ReceivedMessage
from common_lib.errors import Unavailable


@dataclass
class FakeBus:
    """A queue and a topic in memory, with SQS's rule: what is not deleted comes again."""

    waiting: deque[ReceivedMessage] = field(default_factory=deque)
    published: list[OutgoingMessage] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    given_back: dict[str, int] = field(default_factory=dict)
    refuse: Mapping[str, str] = field(default_factory=dict)
    is_away: bool = False

    def put(self, body: str, receipt: str, receive_count: int = 1) -> None:
        self.waiting.append(ReceivedMessage(body, receipt, {}, receive_count))

    async def publish(self, topic: str, messages: Sequence[OutgoingMessage]) -> Mapping[str, str]:
        del topic
        self._answer()
        self.published += [m for m in messages if m.entry_id not in self.refuse]
        return {m.entry_id: self.refuse[m.entry_id] for m in messages if m.entry_id in self.refuse}

    async def receive(
        self, queue: str, *, wait_s: int = 20, max_messages: int = 10, visibility_s: int = 60
    ) -> list[ReceivedMessage]:
        del queue, visibility_s
        self._answer()
        if not self.waiting:
            await asyncio.sleep(wait_s)
        return [self.waiting.popleft() for _ in range(min(max_messages, len(self.waiting)))]

    async def delete(self, queue: str, receipts: Sequence[str]) -> None:
        del queue
        self._answer()
        self.deleted += receipts

    async def extend(self, queue: str, receipt: str, seconds: int) -> None:
        del queue
        self.given_back[receipt] = seconds

    def _answer(self) -> None:
        if self.is_away:
            raise Unavailable("the bus is away")
