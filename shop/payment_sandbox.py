"""A SIMULATED payment provider: real HTTP and signed webhooks, no money.

It stands in for Razorpay or Stripe in the local stack and in tests. What a charge does is chosen by
its token: `tok_success`, `tok_declined`, `tok_pending` (succeeds by webhook a moment later) and
`tok_timeout` (succeeds, but the answer comes after any caller's deadline). Everything it knows is
in one SQLite file, so that it survives a restart; webhooks are repeated until they are taken.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import structlog
import uvicorn
from pydantic import Field, SecretStr, field_validator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common_lib import telemetry
from common_lib.errors import Unavailable
from common_lib.http_client import HttpClient
from common_lib.ids import new_id
from common_lib.settings import ServiceSettings, UrlList, split_list
from common_lib.settings.start import told_plainly

log = structlog.get_logger(__name__)

NAME: Final = "payment-sandbox"
WEBHOOK_PATH: Final = "/api/webhooks/payments/sandbox"
_OUTCOMES: Final = {
    "tok_success": "succeeded",
    "tok_declined": "failed",
    "tok_pending": "processing",
    "tok_timeout": "succeeded",
}
_DECLINED: Final = "card_declined"
_LONGEST_RETRY_S: Final = 60.0
_TICK_S: Final = 0.1

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS payments (
    id TEXT PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE, request TEXT NOT NULL,
    reference TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, method TEXT NOT NULL,
    token TEXT NOT NULL, status TEXT NOT NULL, failure_code TEXT,
    refunded INTEGER NOT NULL DEFAULT 0, settles_at REAL
);
CREATE TABLE IF NOT EXISTS refunds (
    id TEXT PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE, payment_id TEXT NOT NULL,
    amount INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS webhooks (
    id TEXT PRIMARY KEY, body BLOB NOT NULL, attempts INTEGER NOT NULL, next_at REAL NOT NULL
);
"""


class SandboxSettings(ServiceSettings):
    """`payment_sandbox_file` is where the state is kept; by default in the local stack's home."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8085
    payment_webhook_secret: SecretStr
    payment_sandbox_file: Path | None = None
    payment_sandbox_hang_s: float = 10.0
    payment_sandbox_settle_s: float = 1.0
    payment_webhook_url: UrlList = ()

    @field_validator("payment_webhook_url", mode="before")
    @classmethod
    def _split_webhook_urls(cls, value: object) -> object:
        return split_list(value)

    @property
    def state_file(self) -> Path:
        home = self.service_token_key_file.parent.parent
        if not os.access(home, os.W_OK):
            home = Path(tempfile.gettempdir())
        return self.payment_sandbox_file or home / "payment-sandbox.sqlite"

    @property
    def webhook_urls(self) -> tuple[str, ...]:
        return self.payment_webhook_url or self.order_url


class Refused(Exception):
    """The request is not one this provider takes; `code` says why."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Ledger:
    """What the provider knows. Every change is one SQLite transaction with its webhook."""

    def __init__(self, path: Path, *, settle_s: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._settle_s = settle_s
        self._db = sqlite3.connect(path)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def charge(self, key: str, body: dict[str, Any]) -> tuple[sqlite3.Row, bool]:
        """Make a charge, or return the one this key made; the second value says it is new."""
        request = orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()
        with self._db:
            earlier = self._one("SELECT * FROM payments WHERE idempotency_key = ?", key)
            if earlier is not None:
                if earlier["request"] != request:
                    raise Refused(409, "idempotency_key_reused")
                return earlier, False
            payment = self._insert(key, request, body)
            if payment["status"] != "processing":
                self._announce(payment)
            return payment, True

    def find(self, payment_id: str) -> sqlite3.Row:
        payment = self._one("SELECT * FROM payments WHERE id = ?", payment_id)
        if payment is None:
            raise Refused(404, "payment_not_found")
        return payment

    def refund(self, key: str, payment_id: str, amount: int) -> str:
        """Give money back once per key and return the refund's id."""
        with self._db:
            earlier = self._one("SELECT * FROM refunds WHERE idempotency_key = ?", key)
            if earlier is not None:
                return str(earlier["id"])
            changed = self._db.execute(
                "UPDATE payments SET refunded = refunded + ?"
                " WHERE id = ? AND status = 'succeeded' AND refunded + ? <= amount",
                (amount, payment_id, amount),
            )
            if changed.rowcount == 0:
                raise Refused(409, "refund_exceeds_captured")
            refund_id = f"re_{new_id().hex}"
            values = (refund_id, key, payment_id, amount)
            self._db.execute("INSERT INTO refunds VALUES (?, ?, ?, ?)", values)
            return refund_id

    def settle_due(self, at: float) -> None:
        """Let pending charges succeed whose moment has come."""
        with self._db:
            due = self._db.execute(
                "SELECT id FROM payments WHERE status = 'processing' AND settles_at <= ?", (at,)
            ).fetchall()
            for (payment_id,) in due:
                self._db.execute(
                    "UPDATE payments SET status = 'succeeded' WHERE id = ?", (payment_id,)
                )
                self._announce(self.find(payment_id))

    def due_webhooks(self, at: float) -> list[sqlite3.Row]:
        return self._db.execute(
            "SELECT * FROM webhooks WHERE next_at <= ? ORDER BY next_at LIMIT 50", (at,)
        ).fetchall()

    def webhook_taken(self, webhook_id: str) -> None:
        with self._db:
            self._db.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))

    def webhook_refused(self, webhook: sqlite3.Row, at: float) -> None:
        attempts = webhook["attempts"] + 1
        pause_s = min(0.5 * 2**attempts, _LONGEST_RETRY_S)
        with self._db:
            self._db.execute(
                "UPDATE webhooks SET attempts = ?, next_at = ? WHERE id = ?",
                (attempts, at + pause_s, webhook["id"]),
            )

    def _insert(self, key: str, request: str, body: dict[str, Any]) -> sqlite3.Row:
        status = _OUTCOMES.get(body["token"], "failed")
        failure = _DECLINED if body["token"] == "tok_declined" else "unknown_token"  # noqa: S105
        payment_id = f"pay_{new_id().hex}"
        self._db.execute(
            "INSERT INTO payments (id, idempotency_key, request, reference, amount, currency,"
            " method, token, status, failure_code, settles_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                payment_id,
                key,
                request,
                body["reference"],
                body["amount"],
                body["currency"],
                body["method"],
                body["token"],
                status,
                failure if status == "failed" else None,
                time.time() + self._settle_s if status == "processing" else None,
            ),
        )
        return self.find(payment_id)

    def _announce(self, payment: sqlite3.Row) -> None:
        webhook_id = f"evt_{new_id().hex}"
        body = {
            "id": webhook_id,
            "type": f"payment.{payment['status']}",
            "data": payment_document(payment),
        }
        self._db.execute(
            "INSERT INTO webhooks VALUES (?, ?, 0, ?)", (webhook_id, orjson.dumps(body), 0.0)
        )

    def _one(self, sql: str, value: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(sql, (value,)).fetchone()
        return row


def payment_document(payment: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": payment["id"],
        "reference": payment["reference"],
        "amount": payment["amount"],
        "currency": payment["currency"],
        "status": payment["status"],
        "failureCode": payment["failure_code"],
        "refunded": payment["refunded"],
    }


def sign(body: bytes, secret: str, at: float) -> str:
    """Return the Payment-Signature header: HMAC-SHA256 over `timestamp.body`."""
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


async def charge(request: Request) -> Response:
    """Take a charge; a repeated Idempotency-Key answers with the same one."""
    settings: SandboxSettings = request.app.state.settings
    payment, is_new = _ledger(request).charge(_key(request), await _charge_body(request))
    if is_new and payment["token"] == "tok_timeout":  # noqa: S105
        await asyncio.sleep(settings.payment_sandbox_hang_s)
    return _answer(payment_document(payment), 201 if is_new else 200)


async def find(request: Request) -> Response:
    return _answer(payment_document(_ledger(request).find(request.path_params["payment_id"])))


async def refund(request: Request) -> Response:
    body = await _json(request)
    amount = body.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
        raise Refused(422, "invalid_amount")
    payment_id = request.path_params["payment_id"]
    refund_id = _ledger(request).refund(_key(request), payment_id, amount)
    return _answer({"id": refund_id, "paymentId": payment_id, "amount": amount}, 201)


async def alive(request: Request) -> Response:
    del request
    return _answer({"status": "alive", "simulated": True})


def build_app(settings: SandboxSettings) -> Starlette:
    """Return the provider. Its webhooks leave from a task of the same process."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        ledger = Ledger(settings.state_file, settle_s=settings.payment_sandbox_settle_s)
        app.state.settings, app.state.ledger = settings, ledger
        http = HttpClient("order-service", settings.webhook_urls, timeout_s=3)
        sender = asyncio.create_task(_send_webhooks(ledger, http, settings))
        try:
            yield
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            await http.close()
            ledger.close()

    return Starlette(
        routes=[
            Route("/v1/payments", charge, methods=["POST"]),
            Route("/v1/payments/{payment_id}", find),
            Route("/v1/payments/{payment_id}/refunds", refund, methods=["POST"]),
            *(Route(path, alive) for path in ("/livez", "/readyz", "/healthz")),
        ],
        exception_handlers={Refused: _refused},
        lifespan=lifespan,
    )


async def _send_webhooks(ledger: Ledger, http: HttpClient, settings: SandboxSettings) -> None:
    while True:
        ledger.settle_due(time.time())
        for webhook in ledger.due_webhooks(time.time()):
            if await _is_taken(webhook, http, settings):
                ledger.webhook_taken(webhook["id"])
            else:
                ledger.webhook_refused(webhook, time.time())
        await asyncio.sleep(_TICK_S)


async def _is_taken(webhook: sqlite3.Row, http: HttpClient, settings: SandboxSettings) -> bool:
    body: bytes = webhook["body"]
    signature = sign(body, settings.payment_webhook_secret.get_secret_value(), time.time())
    try:
        answer = await http.request(
            "POST", WEBHOOK_PATH, json=body, headers={"payment-signature": signature}
        )
    except Unavailable:
        return False
    return answer.status == 200  # noqa: PLR2004


async def _charge_body(request: Request) -> dict[str, Any]:
    body = await _json(request)
    texts = ("currency", "reference", "method", "token")
    if not all(isinstance(body.get(name), str) for name in texts):
        raise Refused(422, "invalid_request")
    amount = body.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
        raise Refused(422, "invalid_amount")
    return {name: body[name] for name in (*texts, "amount")}


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Refused(400, "malformed_json") from None
    if not isinstance(body, dict):
        raise Refused(422, "invalid_request")
    return body


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if not key:
        raise Refused(400, "idempotency_key_required")
    return key


def _ledger(request: Request) -> Ledger:
    ledger: Ledger = request.app.state.ledger
    return ledger


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    del request
    if not isinstance(error, Refused):
        raise error
    return _answer({"code": error.code}, error.status)


def main() -> None:
    with told_plainly():
        settings = SandboxSettings()
        telemetry.configure(settings, NAME)
        uvicorn.run(
            build_app(settings),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )


if __name__ == "__main__":
    main()
