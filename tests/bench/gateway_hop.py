"""The gateway's hop, with token, limit and revocation, beside nginx and a raw ASGI answer."""

import os
from pathlib import Path

from shop.stack.ports import free_ports
from tests.bench.load import Request
from tests.bench.report import Row
from tests.bench.stats import ratio
from tests.bench.world import Measured, Needs, World

SECTION = "Gateway hop"
BODY = b'{"id":"0198c0de-0000-7000-8000-000000000000","name":"Kettle","status":"ACTIVE"}'
PATH = "/api/products/0198c0de-0000-7000-8000-000000000000"
ROUNDS = 2
FEW, MANY = 16, 64
UPSTREAM, NGINX, RAW, GATEWAY = "bench-upstream", "bench-nginx", "bench-raw", "gateway"

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
    raw = world.start_raw(RAW, BODY)
    world.need(GATEWAY, env={"SHOP_CATALOG_URL": f"http://127.0.0.1:{upstream}"})
    targets = {
        NGINX: (f"http://127.0.0.1:{nginx}", Request(path=PATH, tokens=tokens)),
        RAW: (f"http://127.0.0.1:{raw}", Request(path=PATH, tokens=tokens)),
        GATEWAY: (world.stack.layout.url(GATEWAY), Request(path=PATH, tokens=tokens)),
    }
    for url, request in targets.values():
        world.warm_up(url, request)
    plan = [(NGINX, FEW), (GATEWAY, FEW), (RAW, FEW), (NGINX, MANY), (GATEWAY, MANY)]
    found: dict[tuple[str, int], list[Measured]] = {step: [] for step in plan}
    for turn in range(ROUNDS):
        for name, clients in plan:
            url, request = targets[name]
            with world.step(f"{name}, {clients} in flight, round {turn + 1}"):
                found[name, clients].append(
                    world.measure(
                        url,
                        request,
                        clients=clients,
                        watch=[name],
                        seconds=world.seconds / ROUNDS,
                    )
                )
    world.note_memory()
    world.stop([UPSTREAM, NGINX, RAW, GATEWAY])
    return _rows({step: _Joined(name=step[0], runs=runs) for step, runs in found.items()})


class _Joined:
    """Several rounds of one target as one."""

    def __init__(self, name: str, runs: list[Measured]) -> None:
        requests = sum(run.outcome.succeeded for run in runs)
        self.cpu_us = sum(run.cpu_s[name] for run in runs) * 1e6 / max(1, requests)
        self.per_second = requests / sum(run.outcome.elapsed_s for run in runs)
        self.p99_ms = max(run.outcome.p99_ms for run in runs)


def _rows(found: dict[tuple[str, int], _Joined]) -> list[Row]:
    nginx, gateway, raw = found[NGINX, FEW], found[GATEWAY, FEW], found[RAW, FEW]
    many = found[GATEWAY, MANY]
    to_nginx = ratio(gateway.cpu_us, nginx.cpu_us)
    growth = ratio(many.cpu_us, gateway.cpu_us)
    against = f"gateway {gateway.cpu_us:.0f} µs, nginx {nginx.cpu_us:.0f} µs a request"
    return [
        Row("At most 5 times nginx's CPU", against, f"{to_nginx:.1f}", to_nginx <= 5),
        Row(
            "CPU a request with 64 in flight at most 1.2 times that with 16",
            f"{many.cpu_us:.0f} µs with 64, {gateway.cpu_us:.0f} µs with 16",
            f"{growth:.2f}",
            growth <= 1.2,
        ),
        Row(
            "Beside a raw uvicorn answer of the same bytes",
            f"gateway {gateway.cpu_us:.0f} µs, raw {raw.cpu_us:.0f} µs",
            f"{ratio(gateway.cpu_us, raw.cpu_us):.1f}",
        ),
        Row(
            "Requests a second and p99, 64 in flight",
            f"gateway {many.per_second:,.0f}/s, p99 {many.p99_ms:.1f} ms; "
            f"nginx {found[NGINX, MANY].per_second:,.0f}/s, "
            f"p99 {found[NGINX, MANY].p99_ms:.1f} ms",
            f"{ratio(many.per_second, found[NGINX, MANY].per_second):.2f}",
        ),
    ]


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
