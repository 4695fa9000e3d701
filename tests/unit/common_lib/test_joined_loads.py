"""Loads that wait at the same moment are made as one; each is answered, none with what is old."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from common_lib.joined_loads import JoinedLoads
from tests.waiting import eventually


class Store:
    """A slow store: each load reads at its end, when the test opens the gate."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.loads: list[list[str]] = []
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def load(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.loads.append(list(keys))
        before = dict(self.values)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return {key: before[key] for key in keys if key in before}


async def begun(store: Store, count: int) -> None:
    await eventually(lambda: len(store.loads) >= count)


async def test_a_lone_load_is_made_at_once() -> None:
    store = Store()
    store.values = {"a": 1}
    store.gate.set()

    assert await JoinedLoads(store.load).get("a") == 1
    assert await JoinedLoads(store.load).get("b") is None
    assert store.loads == [["a"], ["b"]]


async def test_what_comes_while_all_are_under_way_goes_together() -> None:
    store = Store()
    store.values = {key: ord(key) for key in "abcdefg"}
    joined = JoinedLoads(store.load, at_once=2, most=3)
    first = [asyncio.create_task(joined.get("a"))]
    await begun(store, 1)
    first.append(asyncio.create_task(joined.get("b")))
    await begun(store, 2)
    rest = [asyncio.create_task(joined.get(key)) for key in "cdefgc"]
    await asyncio.sleep(0)
    store.gate.set()

    assert await asyncio.gather(*first, *rest) == [ord(key) for key in "abcdefgc"]
    assert store.loads[2:] == [["c", "d", "e"], ["f", "g"]]


async def test_who_asks_after_a_load_began_is_answered_by_a_later_one() -> None:
    store = Store()
    store.values = {"a": 1}
    joined = JoinedLoads(store.load, at_once=1)
    early = asyncio.create_task(joined.get("a"))
    await begun(store, 1)
    store.values = {"a": 2}
    late = asyncio.create_task(joined.get("a"))
    await asyncio.sleep(0)
    store.gate.set()

    assert (await early, await late) == (1, 2)


async def test_a_failure_reaches_all_who_waited_and_nobody_else() -> None:
    store = Store()
    store.values = {"a": 1}
    store.failure = OSError("away")
    joined = JoinedLoads(store.load, at_once=1)
    waiting = [asyncio.create_task(joined.get(key)) for key in "ab"]
    store.gate.set()
    failed = await asyncio.gather(*waiting, return_exceptions=True)
    store.failure = None

    assert [type(each) for each in failed] == [OSError, OSError]
    assert await joined.get("a") == 1


async def test_who_leaves_takes_the_answer_from_nobody() -> None:
    store = Store()
    store.values = {"a": 1}
    joined = JoinedLoads(store.load)
    hasty, patient = (asyncio.create_task(joined.get("a")) for _ in range(2))
    await begun(store, 1)
    hasty.cancel()
    store.gate.set()

    assert await patient == 1
    with pytest.raises(asyncio.CancelledError):
        await hasty


async def test_who_asks_just_as_the_last_load_ends_is_answered_too() -> None:
    asked: list[asyncio.Task[int | None]] = []

    async def load(keys: Sequence[str]) -> Mapping[str, int]:
        if not asked:
            # Runs after this load has ended and before anybody has been told so.
            asked.append(asyncio.create_task(joined.get("b")))
        return {key: ord(key) for key in keys}

    joined = JoinedLoads(load, at_once=1)
    assert await joined.get("a") == ord("a")

    async with asyncio.timeout(1):
        assert await asked[0] == ord("b")
