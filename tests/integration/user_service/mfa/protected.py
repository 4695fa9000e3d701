"""A customer with an authenticator, and the requests that the second factor takes."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pyotp
import sqlalchemy as sa

from tests.integration.user_service.conftest import CALLER, Served
from tests.shopper import Shopper
from user_service.models import TotpCredential

PASSWORD = "password123"
CHALLENGE = "/api/auth/mfa/challenge"


@dataclass
class Protected:
    """A customer with an authenticator; `step` says which of its codes comes next."""

    person: Shopper
    totp: pyotp.TOTP
    recovery_codes: list[str]
    step: int

    def next_code(self) -> str:
        """Return a code of a later time step than any before, at most one step ahead."""
        self.step = max(self.step + 1, int(time.time()) // 30)
        return self.totp.generate_otp(self.step)


async def enrol(person: Shopper, password: str = PASSWORD) -> httpx2.Response:
    return await person.request("POST", "/api/auth/mfa/enrol", json={"password": password})


async def confirm(person: Shopper, code: str) -> httpx2.Response:
    return await person.request("POST", "/api/auth/mfa/confirm", json={"code": code})


async def disable(person: Shopper, password: str = PASSWORD, **proof: str) -> httpx2.Response:
    body = {"password": password} | proof
    return await person.request("POST", "/api/auth/mfa/disable", json=body)


async def protected(app: Served) -> Protected:
    person = await app.customer()
    totp = pyotp.TOTP((await enrol(person)).json()["secret"])
    step = int(time.time()) // 30
    answer = await confirm(person, totp.generate_otp(step))
    assert answer.status_code == 200, answer.text
    return Protected(person, totp, answer.json()["recoveryCodes"], step)


async def login(app: Served, person: Shopper, address: str = CALLER) -> httpx2.Response:
    body = {"email": person.email, "password": PASSWORD}
    return await app.client_from(address).post("/api/auth/login", json=body)


async def mfa_token(app: Served, person: Shopper) -> str:
    answer = await login(app, person)
    assert answer.json()["mfaRequired"] is True
    token: str = answer.json()["mfaToken"]
    return token


async def challenge(
    app: Served, token: str, address: str = CALLER, **proof: Any
) -> httpx2.Response:
    return await app.client_from(address).post(CHALLENGE, json={"mfaToken": token} | proof)


async def change_credential(app: Served, person: Shopper, **values: Any) -> None:
    async def work(session: Any) -> None:
        owned = TotpCredential.user_id == UUID(person.user_id)
        await session.execute(sa.update(TotpCredential).where(owned).values(**values))

    await app.database.transact(work)


async def forget_steps(app: Served, held: Protected) -> None:
    """Let the present code count as unused, as it will be half a minute later."""
    await change_credential(app, held.person, last_step=0)
    held.step = 0


def wrong(held: Protected) -> str:
    """Return a code that none of the steps around now has."""
    around = int(time.time()) // 30
    right = {held.totp.generate_otp(step) for step in range(around - 3, around + 4)}
    return next(code for n in range(10) if (code := f"{n:06}") not in right)
