"""The health check that Compose runs inside every container of ours."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "deploy/container/healthcheck.py"

pytestmark = pytest.mark.enable_socket


def exit_code(port: int) -> int:
    environment = {**os.environ, "SHOP_PORT": str(port)}
    # The flags of docker-compose.yml: isolated and without site.
    command = [sys.executable, "-I", "-S", str(SCRIPT)]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output to itself."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], paths
        server.shutdown()


def hang_up(server: socket.socket) -> None:
    connection, _ = server.accept()
    connection.close()


def test_a_process_that_is_ready_is_healthy() -> None:
    with answering(200) as (port, paths):
        assert exit_code(port) == 0
    assert paths == ["/readyz"]


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_process_that_is_not_ready_is_unhealthy(status: int) -> None:
    with answering(status) as (port, _):
        assert exit_code(port) == 1


def test_a_process_that_does_not_listen_is_unhealthy() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert exit_code(unused.getsockname()[1]) == 1


def test_a_process_that_hangs_up_without_an_answer_is_unhealthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=hang_up, args=(server,), daemon=True).start()
        assert exit_code(server.getsockname()[1]) == 1
