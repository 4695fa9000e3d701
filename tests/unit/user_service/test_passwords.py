"""Passwords: hashed without holding others up."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from user_service.services.passwords import HashingBusy, PasswordHasher


@pytest.fixture
async def hasher() -> AsyncIterator[PasswordHasher]:
    made = PasswordHasher(rounds=4, threads=1, queue=1)
    yield made
    made.close()


async def test_a_hash_is_salted_and_names_its_scheme(hasher: PasswordHasher) -> None:
    first, second = await hasher.hash("secret-pass"), await hasher.hash("secret-pass")

    assert first != second
    assert first.startswith("$bcrypt-sha256$")
    assert "r=4" in first


async def test_every_byte_of_a_long_password_counts(hasher: PasswordHasher) -> None:
    kept = await hasher.hash("x" * 72 + "y")

    assert await hasher.verify("x" * 72 + "y", kept)
    assert not await hasher.verify("x" * 72 + "z", kept)
    assert not await hasher.verify("x" * 72, kept)


async def test_an_account_that_does_not_exist_costs_one_comparison_too(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def verify(_: str, against: str) -> bool:
        compared.append(against)
        return True

    monkeypatch.setattr(hasher._scheme, "verify", verify)

    assert await hasher.verify("whatever", None) is False
    assert len(compared) == 1
    assert "r=4" in compared[0]


async def test_a_full_pool_answers_at_once_instead_of_queueing(hasher: PasswordHasher) -> None:
    gate = threading.Event()
    held = [asyncio.create_task(hasher._run(gate.wait)) for _ in range(2)]
    await asyncio.wait(held, timeout=0)

    with pytest.raises(HashingBusy):
        await hasher.hash("one-too-many")

    gate.set()
    await asyncio.gather(*held)
    assert await hasher.hash("room-again")


async def test_a_caller_who_goes_away_frees_the_room_only_when_the_thread_is_done(
    hasher: PasswordHasher,
) -> None:
    gate = threading.Event()
    held = [asyncio.create_task(hasher._run(gate.wait)) for _ in range(2)]
    await asyncio.wait(held, timeout=0)
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)

    with pytest.raises(HashingBusy):
        await hasher.hash("still-full")
    gate.set()


async def test_hashing_leaves_the_event_loops_thread_alone(hasher: PasswordHasher) -> None:
    name = await hasher._run(lambda: threading.current_thread().name)

    assert name.startswith("bcrypt")
