"""An account's links, from the request through the gateway to the mail, and what they open."""

import re
from collections.abc import Callable
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shop.stack.native import NativeStack
from tests.mailbox import mails_to
from tests.shopper import Shopper
from tests.waiting import eventually

CONFIRM, RESET = "Please confirm your e-mail address", "Reset your password"
NEW = "correct horse battery"
LOOKS = {
    "user": "SELECT COUNT(*) FROM outbox WHERE INSTR(body, :secret)",
    "notification": (
        "SELECT COUNT(*) FROM notification_logs"
        " WHERE INSTR(CONCAT_WS(' ', subject, recipient, last_error), :secret)"
    ),
}


async def mails_with(stack: NativeStack, recipient: str, subject: str) -> list[dict[str, Any]]:
    """Return the recipient's mails of that subject, waiting for the first."""

    async def found() -> list[dict[str, Any]]:
        mails = await mails_to(stack, recipient)
        return [mail for mail in mails if mail["subject"] == subject]

    mails: list[dict[str, Any]] = await eventually(found, timeout_s=120, what=subject)
    return mails


async def token_in(stack: NativeStack, recipient: str, subject: str) -> str:
    (mail,) = await mails_with(stack, recipient, subject)
    (token,) = set(re.findall(r"#token=([\w-]+)", mail["html"] + mail["text"]))
    return str(token)


async def kept_anywhere(stack: NativeStack, secret: str) -> list[str]:
    """Return where a secret was found: in log files, in outboxes, in the log of mails."""
    found = [
        path.name
        for path in stack.layout.logs.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]
    for service, sql in LOOKS.items():
        engine = create_async_engine(stack.database_url(service), poolclass=NullPool)
        async with engine.connect() as connection:
            if await connection.scalar(sa.text(sql), {"secret": secret}):
                found.append(service)
        await engine.dispose()
    return found


async def test_the_link_in_the_mail_proves_the_address(
    stack: NativeStack, http: httpx2.AsyncClient, shopper: Shopper
) -> None:
    token = await token_in(stack, shopper.email, CONFIRM)

    answer = await http.post("/api/auth/email/verify", json={"token": token})

    assert answer.status_code == 204, answer.text
    profile = await shopper.request("GET", f"/api/users/{shopper.user_id}")
    assert profile.json()["emailVerified"] is True
    assert len(await mails_with(stack, shopper.email, "Welcome! 🎉")) == 1
    assert await kept_anywhere(stack, token) == []


async def test_a_forgotten_password_is_replaced_by_the_link_in_the_mail(
    stack: NativeStack, http: httpx2.AsyncClient, somebody: Callable[[], Shopper]
) -> None:
    shopper = await (await somebody().register()).login()
    asked = await http.post("/api/auth/password/forgot", json={"email": shopper.email})
    token = await token_in(stack, shopper.email, RESET)

    body = {"token": token, "newPassword": NEW}
    answer = await http.post("/api/auth/password/reset", json=body)

    assert [asked.status_code, answer.status_code] == [202, 204]
    path = f"/api/users/{shopper.user_id}"

    async def is_out() -> bool:
        return (await shopper.request("GET", path)).status_code == 401

    await eventually(is_out, timeout_s=1)
    again = await somebody().login(shopper.email, NEW)
    assert (await again.request("GET", path)).json()["emailVerified"] is True
    assert len(await mails_with(stack, shopper.email, "Your password was changed")) == 1
    assert await kept_anywhere(stack, token) == []
    assert await kept_anywhere(stack, NEW) == []


async def test_both_addresses_are_written_to_when_an_account_moves(
    stack: NativeStack, shopper: Shopper
) -> None:
    old, new = shopper.email, f"moved-{shopper.email}"

    body = {"email": new, "currentPassword": "password123"}
    answer = await shopper.request("PUT", f"/api/users/{shopper.user_id}", json=body)

    assert answer.status_code == 200, answer.text
    (notice,) = await mails_with(stack, old, "Your e-mail address was changed")
    assert new not in notice["html"] + notice["text"]
    assert await token_in(stack, new, CONFIRM)
