"""What the production profile refuses when a process starts, and at a login."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from common_lib.settings.start import EXIT_CODE
from shop.stack.layout import REPOSITORY
from shop.stack.native import NativeStack
from tests.conftest import ScratchDatabase
from tests.integration.user_service.conftest import Open
from tests.production import production
from tests.shopper import DEV_PASSWORD

DEV_LOGIN = "demo@shop.example"


async def ended(module: str, environment: Mapping[str, str]) -> tuple[int | None, str]:
    """Start a process that refuses to; return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        env={**os.environ, **environment},
        cwd=REPOSITORY,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(60):
            _, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, told.decode()


def variables(settings: Mapping[str, Any]) -> dict[str, str]:
    return {f"SHOP_{name.upper()}": str(value) for name, value in settings.items()}


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("user_service.main", "user", ["SHOP_JWT_PRIVATE_KEY_FILE", "SHOP_BCRYPT_ROUNDS"]),
        ("gateway.main", "gateway", ["SHOP_RATE_LIMIT_PER_MINUTE"]),
    ],
)
async def test_a_process_with_the_settings_of_a_local_stack_does_not_start(
    parts: NativeStack, module: str, name: str, expected: list[str]
) -> None:
    environment = {**parts.environment(name), "SHOP_PROFILE": "production"}

    code, told = await ended(module, environment)

    assert code == EXIT_CODE
    for variable in ("SHOP_AWS_SECRET_ACCESS_KEY", "SHOP_SERVICE_TOKEN_KEY_FILE", *expected):
        assert variable in told
    assert "Traceback" not in told


async def test_the_user_service_does_not_start_beside_development_logins(
    parts: NativeStack, open_app: Open, scratch_database: ScratchDatabase, tmp_path: Path
) -> None:
    database_url = await scratch_database("user")
    development = await open_app(database_url=database_url)
    await development.somebody().register(email=DEV_LOGIN)
    settings = production(tmp_path) | {"database_url": database_url}

    code, told = await ended(
        "user_service.main", {**parts.environment("user"), **variables(settings)}
    )

    assert code == EXIT_CODE
    assert DEV_LOGIN in told
    assert "Traceback" not in told


async def test_a_development_login_is_refused_like_a_wrong_password(
    open_app: Open, scratch_database: ScratchDatabase, tmp_path: Path
) -> None:
    database_url = await scratch_database("user")
    development = await open_app(database_url=database_url, bcrypt_rounds=4)
    for email in (DEV_LOGIN, "real@example.com"):
        body = {"email": email, "password": DEV_PASSWORD, "fullName": "Asha Rao"}
        assert (await development.client.post("/api/users", json=body)).status_code == 201
    app = await open_app(**production(tmp_path) | {"database_url": database_url})

    answers = {
        email: await app.client.post(
            "/api/auth/login", json={"email": email, "password": DEV_PASSWORD}
        )
        for email in (DEV_LOGIN, "real@example.com")
    }

    assert answers["real@example.com"].status_code == 200
    assert answers[DEV_LOGIN].status_code == 401
    assert answers[DEV_LOGIN].json()["code"] == "invalid_credentials"
