"""The gateway's hop, with token, limit and revocation, beside nginx and a raw ASGI answer."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from shop.stack.ports import free_ports
from tests.bench import many_tokens, naive
from tests.bench.load import Request
from tests.bench.report import Row
from tests.bench.stats import ratio
from tests.bench.world import Measured, Needs, World

SECTION = "Gateway hop"
BODY = b'{"id":"0198c0de-0000-7000-8000-000000000000","name":"Kettle","status":"ACTIVE"}'
PATH = "/api/products/0198c0de-0000-7000-8000-000000000000"
ROUNDS = 2
UPSTREAM, NGINX, RAW, GATEWAY = "bench-upstream", "bench-nginx", "bench-raw", "gateway"
NAIVE = "bench-naive"
GOAL_ADDED_MS = 2.0


class Step(NamedTuple):
    """One target under one load; with a pause, 400 requests a second come, else all that go.

    They come when they like, as those of independent clients do, or `in_step`: all clients' at the
    same moment, so that each waits for the others.
    """

    name: str
    clients: int
    pause_ms: int = 0
    in_step: bool = False


FEW, MANY = 16, 64
CALM_CLIENTS, CALM_PAUSE_MS = 4, 10
CALM, CALM_IN_STEP = (
    {name: Step(name, CALM_CLIENTS, CALM_PAUSE_MS, in_step) for name in (UPSTREAM, NGINX, GATEWAY)}
    for in_step in (False, True)
)
PLAN = (
    Step(NGINX, FEW),
    Step(GATEWAY, FEW),
    Step(RAW, FEW),
    Step(NAIVE, FEW),
    Step(NGINX, MANY),
    Step(GATEWAY, MANY),
    *CALM.values(),
    *CALM_IN_STEP.values(),
)

_COMMON = """
{user}worker_processes 1;
daemon off;
pid {home}/{name}.pid.nginx;
error_log {home}/{name}.log warn;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {home}/{name}-body;
  proxy_temp_path {home}/{name}-proxy;
  fastcgi_temp_path {home}/{name}-fastcgi;
  uwsgi_temp_path {home}/{name}-uwsgi;
  scgi_temp_path {home}/{name}-scgi;
  {servers}
}}
"""
_ANSWERING = """
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type application/json; return 200 '{body}'; }}
  }}
"""
_PROXYING = """
  upstream trivial {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://trivial;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
"""


def measure(world: World) -> list[Row]:
    if world.tools.nginx is None:
        raise Needs("nginx")
    tokens = world.tokens()
    upstream, nginx = _start_nginx(world)
    behind = f"http://127.0.0.1:{upstream}"
    raw = world.start_raw(RAW, BODY)
    world.need(GATEWAY, env={"SHOP_CATALOG_URL": behind})
    request = Request(path=PATH, tokens=tokens)
    targets = {
        UPSTREAM: behind,
        NGINX: f"http://127.0.0.1:{nginx}",
        RAW: f"http://127.0.0.1:{raw}",
        NAIVE: naive.start(world, NAIVE, behind),
        GATEWAY: world.stack.layout.url(GATEWAY),
    }
    for url in targets.values():
        world.warm_up(url, request)
    found: dict[Step, list[Measured]] = {step: [] for step in PLAN}
    for turn in range(ROUNDS):
        for step in PLAN:
            with world.step(f"{step.name}, {step.clients} in flight, round {turn + 1}"):
                found[step].append(_measured(world, step, targets[step.name], request))
    world.note_memory()
    world.stop([NGINX, RAW, NAIVE])
    rows = _rows({step: _Joined(name=step.name, runs=runs) for step, runs in found.items()})
    rows += many_tokens.measure(world)
    world.stop([UPSTREAM, GATEWAY])
    return rows


def _measured(world: World, step: Step, url: str, request: Request) -> Measured:
    return world.measure(
        url,
        request,
        clients=step.clients,
        watch=[step.name],
        # Few requests a second: a p99 wants time.
        seconds=world.seconds if step.pause_ms else world.seconds / ROUNDS,
        pause_ms=step.pause_ms,
        is_at_random=not step.in_step,
    )


class _Joined:
    """Several rounds of one target as one."""

    def __init__(self, name: str, runs: list[Measured]) -> None:
        requests = sum(run.outcome.succeeded for run in runs)
        self.cpu_us = sum(run.cpu_s[name] for run in runs) * 1e6 / max(1, requests)
        self.per_second = requests / sum(run.outcome.elapsed_s for run in runs)
        self.p50_ms = max(run.outcome.p50_ms for run in runs)
        self.p99_ms = max(run.outcome.p99_ms for run in runs)


def _rows(found: Mapping[Step, _Joined]) -> list[Row]:
    nginx, gateway, raw = (found[Step(name, FEW)] for name in (NGINX, GATEWAY, RAW))
    many, nginx_many = found[Step(GATEWAY, MANY)], found[Step(NGINX, MANY)]
    to_nginx = ratio(gateway.cpu_us, nginx.cpu_us)
    growth = ratio(many.cpu_us, gateway.cpu_us)
    against = f"gateway {gateway.cpu_us:.0f} µs, nginx {nginx.cpu_us:.0f} µs a request"
    return [
        Row("At most 5 times nginx's CPU", against, f"{to_nginx:.1f}", to_nginx <= 5),
        _beside_naive(gateway, found[Step(NAIVE, FEW)]),
        Row(
            "CPU a request with 64 in flight at most 1.2 times that with 16",
            f"{many.cpu_us:.0f} µs with 64, {gateway.cpu_us:.0f} µs with 16",
            f"{growth:.2f}",
            growth <= 1.2,
        ),
        *_added_rows(found),
        Row(
            "Beside a raw uvicorn answer of the same bytes",
            f"gateway {gateway.cpu_us:.0f} µs, raw {raw.cpu_us:.0f} µs",
            f"{ratio(gateway.cpu_us, raw.cpu_us):.1f}",
        ),
        Row(
            "Requests a second and p99, 64 in flight",
            f"gateway {many.per_second:,.0f}/s, p99 {many.p99_ms:.1f} ms; "
            f"nginx {nginx_many.per_second:,.0f}/s, p99 {nginx_many.p99_ms:.1f} ms",
            f"{ratio(many.per_second, nginx_many.per_second):.2f}",
        ),
    ]


def _beside_naive(gateway: _Joined, naive_: _Joined) -> Row:
    times = ratio(naive_.cpu_us, gateway.cpu_us)
    return Row(
        "At least 20 times less CPU than FastAPI, httpx, python-jose and one INCR",
        f"gateway {gateway.cpu_us:.0f} µs, those {naive_.cpu_us:,.0f} µs a request",
        f"{times:.0f}",
        times >= 20,
    )


def _added_rows(found: Mapping[Step, _Joined]) -> list[Row]:
    calm, in_step = (
        {name: found[step] for name, step in steps.items()} for steps in (CALM, CALM_IN_STEP)
    )
    added_ms, in_step_ms = (
        hops[GATEWAY].p99_ms - hops[UPSTREAM].p99_ms for hops in (calm, in_step)
    )
    return [
        Row(
            f"The hop adds less than {GOAL_ADDED_MS:.0f} ms to the p99 at low load",
            f"{_latencies(calm)}; {calm[GATEWAY].per_second:,.0f} requests a second",
            f"{ratio(added_ms, GOAL_ADDED_MS):.2f}",
            added_ms < GOAL_ADDED_MS,
        ),
        Row(
            f"The same with {CALM_CLIENTS} requests always at the same moment",
            _latencies(in_step),
            f"{ratio(in_step_ms, GOAL_ADDED_MS):.2f}",
        ),
    ]


def _latencies(found: Mapping[str, _Joined]) -> str:
    words = {UPSTREAM: "straight to the upstream", NGINX: "by nginx", GATEWAY: "by the gateway"}
    return ", ".join(
        f"{words[name]} p50 {one.p50_ms:.2f}, p99 {one.p99_ms:.2f} ms"
        for name, one in found.items()
    )


def _start_nginx(world: World) -> tuple[int, int]:
    """Start an nginx that answers and one that proxies to it; return their ports."""
    upstream, proxy = free_ports(2)
    answering = _ANSWERING.format(port=upstream, body=BODY.decode())
    proxying = _PROXYING.format(port=proxy, upstream=upstream)
    for name, servers, port in ((UPSTREAM, answering, upstream), (NGINX, proxying, proxy)):
        _start_one(world, name, servers, port)
    return upstream, proxy


def _start_one(world: World, name: str, servers: str, port: int) -> None:
    home: Path = world.stack.layout.home
    config = home / f"{name}.conf"
    user = "user root;\n" if os.geteuid() == 0 else ""
    config.write_text(_COMMON.format(user=user, home=home, name=name, servers=servers))
    tool = world.tools.nginx
    if tool is None:
        raise Needs("nginx")
    log = f"{home}/{name}.log"
    world.start_helper(name, [*tool.command, "-c", str(config), "-e", log], port, tool)
