"""Logs stay whole and hold no secret; a crash still names its request."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from common_lib import problems, telemetry
from common_lib.telemetry import logs


async def fail() -> None:
    raise RuntimeError("inside")


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI(openapi_url=None)
    app.get("/fail/{name}")(fail)
    problems.install(app)
    app.add_middleware(telemetry.TelemetryMiddleware)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_the_answer_to_a_crash_names_the_request(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/fail/x", headers={"x-request-id": "abc-1"})

    assert (answer.status_code, answer.json()["requestId"]) == (500, "abc-1")
    assert "inside" not in answer.text


async def test_a_hostile_request_id_is_replaced(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/fail/x", headers={"x-request-id": 'a"}{"event":"x'})

    assert '"' not in answer.json()["requestId"]


@pytest.mark.parametrize(
    "value", [2**70, "\ud800", {1: "a"}, {"a": 2**70}, Path("x"), object(), "a\nb\r\x1b[31m"]
)
def test_no_value_breaks_a_log_line(value: object) -> None:
    line = logs._dump({"event": "odd", "value": value}, default=str)

    assert line.isprintable()
    assert json.loads(line)["event"] == "odd"


def test_secrets_are_masked_by_their_name() -> None:
    line = {"password": "hunter2", "access_token": "x", "cardNumber": 4, "user": "u"}

    masked = logs._mask_secrets(None, "info", line)

    assert masked == {"password": "***", "access_token": "***", "cardNumber": "***", "user": "u"}
