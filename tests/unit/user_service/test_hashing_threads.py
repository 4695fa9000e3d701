import os
import threading

from user_service.services import passwords
from user_service.services.passwords import PasswordHasher


def niceness() -> int:
    """Return that of the calling thread; on Linux each has its own."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


async def test_hashing_lets_everything_else_go_first() -> None:
    hasher = PasswordHasher(rounds=4, threads=1, queue=1)

    hashing = await hasher._run(niceness)

    hasher.close()
    assert hashing == max(niceness(), passwords.HASHING_NICENESS)
