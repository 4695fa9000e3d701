"""Nginx as fetched keeps to its own folder: nothing that is compiled into it needs to be here."""

import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shop.stack import debian
from shop.stack.edge import NGINX, Edge
from shop.stack.layout import REPOSITORY
from shop.stack.ports import LOOPBACK
from tests import openfiles
from tests.integration.edge.harness import ANSWER_TIMEOUT_S, ask, request
from tests.waiting import eventually

# By the name with which nginx was built: what in our configuration stands in its place, everywhere
# it could be used. The error log, the prefix and the file itself are given on the command line.
OVERRIDDEN_BY = {
    "http-log-path": "access_log off;",
    "lock-path": "lock_file {folder}/",
    "pid-path": "pid {folder}/",
    "modules-path": "load_module {downloads}/",
    "http-client-body-temp-path": "client_body_temp_path {folder}/",
    "http-proxy-temp-path": "proxy_temp_path {folder}/",
    "http-fastcgi-temp-path": "fastcgi_temp_path {folder}/",
    "http-scgi-temp-path": "scgi_temp_path {folder}/",
    "http-uwsgi-temp-path": "uwsgi_temp_path {folder}/",
}
ON_THE_COMMAND_LINE = {"prefix": "-p", "conf-path": "-c", "error-log-path": "-e"}


def test_each_place_compiled_into_nginx_is_overridden(edge: Edge) -> None:
    directives = main_and_http_directives(edge)

    assert compiled_in(edge) == OVERRIDDEN_BY.keys() | ON_THE_COMMAND_LINE.keys()
    places_of_ours = {"folder": edge.folder, "downloads": edge.layout.downloads}
    for expected in OVERRIDDEN_BY.values():
        wanted = expected.format(**places_of_ours)
        assert any(line.startswith(wanted) for line in directives), wanted
    assert set(ON_THE_COMMAND_LINE.values()) <= set(edge.spec().argv)


def test_nginx_holds_nothing_open_outside_its_places(edge: Edge) -> None:
    layout = edge.layout
    own = tuple(f"{folder}/" for folder in (layout.home, layout.downloads, REPOSITORY))

    held = openfiles.held(json.loads((layout.run / "edge.pid").read_text())["pid"])
    assert [path for path in held if not path.startswith(own)] == []
    assert any(path.endswith("ngx_http_modsecurity_module.so") for path in held)


@pytest.mark.parametrize(
    ("host", "status"), [("localhost", 308), ("elsewhere.example", 421)], ids=["ours", "not ours"]
)
async def test_the_log_of_plain_http_holds_the_promised_fields_and_no_query(
    edge: Edge, host: str, status: int
) -> None:
    path = f"/api/products/{status}"
    ask(edge, request(target=f"{path}?as=ever"))
    exchange_plainly(edge, f"GET {path}?token=q-secret HTTP/1.1\r\nHost: {host}\r\n\r\n")

    log = edge.layout.logs / "edge.log"
    plain, safe = await eventually(lambda: both(lines_about(log, path)))

    assert plain.keys() == safe.keys()
    assert (plain["status"], plain["client"], plain["tls"]) == (status, LOOPBACK, "")
    assert "q-secret" not in log.read_text()


def compiled_in(edge: Edge) -> set[str]:
    """The names under which nginx was given places when it was built."""
    nginx = debian.Tree(Path(edge.values()["EDGE_ROOT"])).command(NGINX)
    built = subprocess.run((*nginx, "-V"), capture_output=True, text=True, check=True).stderr
    return set(re.findall(r"--(prefix|[a-z-]+-path)=", built))


def main_and_http_directives(edge: Edge) -> list[str]:
    """What counts for all servers: lines of the main block, and those of `http` itself."""
    lines = (edge.folder / "nginx.conf").read_text().splitlines()
    outer = [line for line in lines if not line.startswith(" ")]
    http = lines[lines.index("http {") :]
    return outer + [line.strip() for line in http if re.match(r" {4}\S", line)]


def lines_about(log: Path, path: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("path") == path]


def both(lines: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The line of plain HTTP and the one over TLS, once there are both."""
    plain = [line for line in lines if not line["tls"]]
    safe = [line for line in lines if line["tls"]]
    return (plain[0], safe[0]) if plain and safe else None


def exchange_plainly(edge: Edge, sent: str) -> None:
    target = (LOOPBACK, edge.layout.ports.edge_http)
    with socket.create_connection(target, ANSWER_TIMEOUT_S) as connection:
        connection.sendall(sent.encode())
        connection.recv(65536)
