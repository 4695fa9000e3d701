"""Passwords: hashed with bcrypt away from the event loop."""

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from passlib.hash import bcrypt_sha256

from common_lib.errors import Unavailable

T = TypeVar("T")

# A tenth of a busy core's time: hashing goes on, slowly, where reads take all they can get.
HASHING_NICENESS: Final = 10


class HashingBusy(Unavailable):
    code = "busy"
    title = "Too many passwords are being checked at this moment"


def _step_back() -> None:
    """Let everything else on this machine go first, the event loop above all.

    On Linux each thread has a niceness of its own (sched(7)); elsewhere it is the process's.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        # Only ever down: the way back up is for the privileged.
        niceness = max(os.getpriority(os.PRIO_PROCESS, thread), HASHING_NICENESS)
        os.setpriority(os.PRIO_PROCESS, thread, niceness)


class PasswordHasher:
    """bcrypt over SHA-256, so that every byte of a long password counts.

    Hashing takes about 250 ms of a core at cost 12: it runs in a few threads of its own, and once
    `queue` callers wait, further ones get HashingBusy instead of a long wait.
    """

    def __init__(self, *, rounds: int, threads: int, queue: int) -> None:
        self._scheme = bcrypt_sha256.using(rounds=rounds)
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix="bcrypt", initializer=_step_back
        )
        self._room = threads + queue
        self._in_hand = 0
        # Compared with when there is no such account, so that both answers take the same time.
        self._nobodys_hash: str = self._scheme.hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        return await self._run(lambda: str(self._scheme.hash(password)))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Tell whether the password fits; with no hash it takes as long and is False."""
        against = password_hash or self._nobodys_hash
        fits = await self._run(lambda: bool(self._scheme.verify(password, against)))
        return fits and password_hash is not None

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._in_hand >= self._room:
            raise HashingBusy(retry_after_s=1)
        self._in_hand += 1
        task = asyncio.get_running_loop().run_in_executor(self._pool, work)
        # Counted until the thread is done, also when the caller has gone away.
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, _: object) -> None:
        self._in_hand -= 1
