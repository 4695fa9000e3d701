"""Places one order through the gateway and shows its fourteen steps, ending with the e-mail.

Nothing is simulated in what is shown: the steps are the log lines that gateway, services and
workers wrote for this request's trace, and the mail is what SES was handed.
"""

import html
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

import httpx2
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from common_lib.money import major_units
from common_lib.telemetry import FLOW_STEPS
from shop.stack import choice, docker, memory
from shop.stack.errors import StackError
from shop.stack.layout import PROCESS_NAMES, Layout

PASSWORD: Final = "password123"  # noqa: S105 - of an account made for this demonstration only
DEADLINE_S: Final = 60.0
_POLL_S: Final = 0.1
_INDEXED_S: Final = 20.0
_MAIL_LINES: Final = 30
_ADDRESS: Final = {
    "fullName": "Asha Rao",
    "phone": "+919812345678",
    "addressLine1": "12 MG Road",
    "city": "Bengaluru",
    "state": "Karnataka",
    "pincode": "560001",
    "country": "IN",
}

console = Console()


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One of the fourteen steps as a process logged it; `at` is when it began."""

    number: int
    service: str
    at: datetime
    duration_ms: float

    @classmethod
    def from_log(cls, line: str, trace_id: str) -> Self | None:
        if trace_id not in line or '"flow.step"' not in line:
            return None
        # Docker puts the container's name before the line.
        entry = json.loads(line[line.index("{") :])
        ended_at = datetime.fromisoformat(entry["timestamp"])
        at = ended_at - timedelta(milliseconds=entry["duration_ms"])
        return cls(entry["step"], entry["service"], at, entry["duration_ms"])


class Customer:
    """A new customer with a token, talking to the gateway. Refusals become StackError."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self.email = f"asha-{secrets.token_hex(3)}@example.com"
        self.user_id = ""
        self._headers: dict[str, str] = {}

    def register_and_log_in(self) -> None:
        account = {"email": self.email, "password": PASSWORD, "fullName": "Asha Rao"}
        self.user_id = self.call("POST", "/api/users", json=account)["id"]
        login = {"email": self.email, "password": PASSWORD}
        token = self.call("POST", "/api/auth/login", json=login)["accessToken"]
        self._headers["Authorization"] = f"Bearer {token}"

    def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> Any:
        sent = {**self._headers, **(headers or {})}
        try:
            answer = self._http.request(method, path, headers=sent, **arguments)
        except httpx2.TransportError as error:
            raise StackError(f"the gateway does not answer ({error})", "make up") from None
        if answer.status_code >= 400:  # noqa: PLR2004
            raise StackError(
                f"{method} {path} answered {answer.status_code}: {answer.text}", "make logs"
            )
        return answer.json()


def run() -> None:
    """Run the demonstration against the local stack. Raises StackError."""
    layout = Layout.local()
    trace_id = secrets.token_hex(16)
    traceparent = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    with httpx2.Client(base_url=layout.url("gateway"), timeout=20) as http:
        customer = Customer(http)
        order = _shop(customer, traceparent)
    _show_steps(_wait_for_steps(_log_lines(layout), trace_id), trace_id)
    _show_mail(_wait_for_mail(layout, customer.email, order["orderNumber"]), customer.email)
    console.print(f"\n  gateway    {layout.url('gateway')}   (try: {layout.url('gateway')}/docs)")
    console.print("  logins     demo@shop.example, seller@shop.example, admin@shop.example")
    console.print("  next       make status · shop audit · make down", highlight=False)


def _shop(customer: Customer, traceparent: str) -> Mapping[str, Any]:
    """Register, log in, fill the cart, place the order (this request is traced) and pay it."""
    _say("registers and logs in", customer.register_and_log_in)
    product = _found(customer)
    line = {"variantId": _in_stock(product)["id"], "quantity": 1}
    cart = f"/api/cart/{customer.user_id}"
    _say(f"puts “{product['name']}” into the cart", lambda: customer.call("POST", cart, json=line))
    order: Mapping[str, Any] = _say("places the order", lambda: _place(customer, traceparent))
    _say("pays by UPI", lambda: _pay(customer, order["id"]))
    console.print(f"  → order [bold]{order['orderNumber']}[/], {_priced(order['total'])}\n")
    return order


def _found(customer: Customer) -> Mapping[str, Any]:
    """Search for a smartphone; a shop that was seeded just now is still being indexed."""
    ends_at = time.monotonic() + _INDEXED_S
    while True:
        page = customer.call("GET", "/api/products/search?q=smartphone&inStock=true&limit=1")
        if page["items"]:
            product: Mapping[str, Any] = page["items"][0]
            return product
        if time.monotonic() > ends_at:
            raise StackError("the catalogue has no smartphone in stock", "make seed")
        time.sleep(_POLL_S)


def _in_stock(product: Mapping[str, Any]) -> Mapping[str, Any]:
    variants: Sequence[Mapping[str, Any]] = product["variants"]
    return next((v for v in variants if v["available"]), variants[0])


def _place(customer: Customer, traceparent: str) -> Mapping[str, Any]:
    placed: Mapping[str, Any] = customer.call(
        "POST",
        "/api/orders",
        headers={"Idempotency-Key": secrets.token_hex(8), "traceparent": traceparent},
        json={"shippingAddress": _ADDRESS, "paymentMethod": "UPI"},
    )
    return placed


def _pay(customer: Customer, order_id: str) -> Any:
    return customer.call(
        "POST",
        f"/api/orders/{order_id}/payments",
        headers={"Idempotency-Key": secrets.token_hex(8)},
        json={"paymentMethod": "UPI", "paymentToken": "tok_success"},
    )


def _say(what: str, act: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = act()
    elapsed_ms = (time.perf_counter() - started) * 1000
    console.print(f"  [green]✓[/] Asha {what} [dim]{elapsed_ms:.0f} ms[/]", highlight=False)
    return result


def _wait_for_steps(lines: Callable[[], Iterator[str]], trace_id: str) -> list[FlowStep]:
    """Return the fourteen steps, each as it was logged first. Raises StackError naming the gaps."""
    ends_at = time.monotonic() + DEADLINE_S
    with console.status("waiting for the e-mail") as waiting:
        while True:
            steps = _first_of_each(lines(), trace_id)
            if len(steps) == len(FLOW_STEPS):
                return [steps[number] for number in sorted(steps)]
            waiting.update(f"waiting for the e-mail: {len(steps)} of {len(FLOW_STEPS)} steps seen")
            if time.monotonic() > ends_at:
                missing = ", ".join(str(n) for n in FLOW_STEPS if n not in steps)
                raise StackError(f"no log line for step {missing} of trace {trace_id}", "make logs")
            time.sleep(_POLL_S)


def _first_of_each(lines: Iterator[str], trace_id: str) -> dict[int, FlowStep]:
    steps: dict[int, FlowStep] = {}
    for line in lines:
        step = FlowStep.from_log(line, trace_id)
        if step is not None and (step.number not in steps or step.at < steps[step.number].at):
            steps[step.number] = step
    return steps


def _log_lines(layout: Layout) -> Callable[[], Iterator[str]]:
    """Return a reader of all processes' log lines, in Docker or not."""
    remembered = memory.recall_kind(layout.home)
    if choice.choose(os.environ, remembered, docker.engine_answers) is memory.Kind.DOCKER:
        return lambda: iter(docker.recent_log_lines(layout))
    return lambda: _native_lines(layout)


def _native_lines(layout: Layout) -> Iterator[str]:
    for name in PROCESS_NAMES:
        path = layout.logs / f"{name}.log"
        if path.exists():
            with path.open(encoding="utf-8", errors="replace") as log:
                yield from log


def _show_steps(steps: Sequence[FlowStep], trace_id: str) -> None:
    table = Table("step", "what happened", "in", "at ms", "took ms", box=None)
    for column in (0, 3, 4):
        table.columns[column].justify = "right"
    start = min(step.at for step in steps)
    for step in steps:
        at_ms = (step.at - start).total_seconds() * 1000
        table.add_row(
            str(step.number),
            FLOW_STEPS[step.number],
            step.service,
            f"{at_ms:.1f}",
            f"{step.duration_ms:.2f}",
        )
    console.print(table)
    console.print(f"  trace id {trace_id}   [dim](find it in the logs of every process)[/]\n")


def _wait_for_mail(layout: Layout, recipient: str, order_number: str) -> Mapping[str, Any]:
    ends_at = time.monotonic() + DEADLINE_S
    subject = f"Order Placed — {order_number}"
    while time.monotonic() < ends_at:
        sent = httpx2.get(f"{layout.aws_endpoint_url}/_aws/ses", timeout=10).json()["messages"]
        for mail in sent:
            if mail.get("Subject") == subject:
                found: Mapping[str, Any] = mail
                return found
        time.sleep(_POLL_S)
    raise StackError(f"SES has no mail “{subject}” to {recipient}", "make logs")


def _show_mail(mail: Mapping[str, Any], recipient: str) -> None:
    body = mail["Body"]
    text = body.get("text_part") or _plain(body.get("html_part") or "")
    lines = [line.rstrip() for line in text.strip().splitlines()][:_MAIL_LINES]
    head = f"From: {mail['Source']}\nTo: {recipient}\nSubject: {mail['Subject']}\n\n"
    console.print(Panel(head + "\n".join(lines), title="the e-mail as SES got it", expand=False))


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"\n\s*\n+", "\n", re.sub(r"<[^>]+>", "", markup)))


def _priced(money: Mapping[str, Any]) -> str:
    return f"{money['currency']} {major_units(money['amount'], money['currency']):,}"
