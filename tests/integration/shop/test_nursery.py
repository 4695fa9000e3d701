"""What the tests' own nursery makes are processes such as `python -m` makes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from shop.stack.layout import MODULES, REPOSITORY
from shop.stack.ports import LOOPBACK, free_ports
from shop.stack.probe import is_ok
from shop.stack.processes import Identity, Processes, Spec
from tests.nursery import Nursery, nursery
from tests.waiting import eventually

SANDBOX = "payment-sandbox"
RANDOM_BITS = (1 << 62) - 1
CHARGE = {"amount": 100, "currency": "INR", "reference": "r", "method": "UPI", "token": "tok_other"}

StartSandbox = Callable[[Nursery, str], str]


@pytest.fixture
def start_sandbox(processes: Processes, tmp_path: Path) -> StartSandbox:
    """Return a starter of payment sandboxes by name, which returns the URL of the started."""

    def start(launcher: Nursery, name: str) -> str:
        port = free_ports(1)[0]
        settings = {
            "SHOP_PROFILE": "test",
            "SHOP_HOST": LOOPBACK,
            "SHOP_PORT": str(port),
            "SHOP_PAYMENT_SANDBOX_FILE": str(tmp_path / f"{name}.sqlite"),
            "SHOP_PAYMENT_WEBHOOK_SECRET": "s" * 40,
        }
        argv = (sys.executable, "-m", MODULES[SANDBOX])
        processes.launcher = launcher
        processes.start(Spec(name, argv, {**os.environ, **settings}, REPOSITORY))
        return f"http://{LOOPBACK}:{port}"

    return start


async def ready(url: str) -> None:
    await eventually(lambda: is_ok(f"{url}/readyz"), timeout_s=60, what="a sandbox")


def found(processes: Processes, name: str) -> Identity:
    identity = processes.find(name)
    assert identity is not None
    return identity


async def charged(url: str) -> UUID:
    async with httpx2.AsyncClient(base_url=url) as client:
        answer = await client.post("/v1/payments", json=CHARGE, headers={"Idempotency-Key": "k"})
    return UUID(answer.json()["id"].removeprefix("pay_"))


async def test_a_fork_leads_a_session_of_its_own_and_can_be_killed_and_started_again(
    launcher: Nursery, processes: Processes, start_sandbox: StartSandbox
) -> None:
    await ready(start_sandbox(launcher, SANDBOX))
    first = found(processes, SANDBOX)
    assert os.getsid(first.pid) == first.pid != os.getsid(0)

    processes.kill(SANDBOX)
    assert not first.is_alive()
    await ready(start_sandbox(launcher, SANDBOX))
    assert found(processes, SANDBOX) != first


async def test_two_forks_draw_different_ids(launcher: Nursery, start_sandbox: StartSandbox) -> None:
    urls = [start_sandbox(launcher, name) for name in ("one", "other")]
    for url in urls:
        await ready(url)
    one, other = [(await charged(url)).int & RANDOM_BITS for url in urls]
    assert one != other


async def test_a_fork_takes_its_crash_point_from_its_own_environment(
    launcher: Nursery, processes: Processes
) -> None:
    processes.launcher = launcher
    armed = {"SHOP_PROFILE": "test", "SHOP_CRASH_AT": "no.such_point"}
    argv = (sys.executable, "-m", MODULES["gateway"])
    processes.start(Spec("gateway", argv, armed, REPOSITORY))
    await eventually(lambda: processes.find("gateway") is None, what="the gateway's end")
    assert "SHOP_CRASH_AT names no crash point" in processes.log("gateway").read_text()


async def test_forks_end_with_their_nursery(
    processes: Processes, start_sandbox: StartSandbox
) -> None:
    with nursery() as short_lived:
        await ready(start_sandbox(short_lived, SANDBOX))
        assert processes.find(SANDBOX) is not None
    await eventually(lambda: processes.find(SANDBOX) is None, what="the end of the fork")
