"""Follows the edge's Dockerfile on this machine, starts what it would start, and asks it.

No Docker engine is needed, but a machine to throw away: packages are installed, an account is made,
/etc/edge is written. So it runs only in the root folder that .ci/bare makes. Standard library only.
"""

import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.bare.dockerfile import Instruction, UnknownInstructionError, instructions

REPOSITORY = Path(__file__).resolve().parents[2]
CONTEXT = REPOSITORY / "deploy/edge"
MARK = Path("/etc/shop-bare-root")
LOOPBACK = "127.0.0.1"
HTTPS, HTTP = 8443, 8480
READY_WITHIN_S = 60.0
POLL_S = 0.1
# Docker gives a container these, and its own standard streams as pipes.
CONTAINER_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ATTEMPTS_AT_RUN = 3


class Gateway(BaseHTTPRequestHandler):
    """Stands behind the edge and tells whose request it was brought."""

    def do_GET(self) -> None:  # the name http.server looks for
        body = self.headers.get("X-Forwarded-For", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Image:
    """What the instructions have made of this machine so far."""

    def __init__(self) -> None:
        self.environment = {"PATH": CONTAINER_PATH}
        self.user = "0:0"
        self.command: list[str] = []

    def follow(self, one: Instruction) -> None:
        steps: dict[str, Callable[[Instruction], None]] = {
            "FROM": lambda _: None,
            "RUN": self._run,
            "COPY": self._copy,
            "ENV": lambda one: self.environment.update(one.settings),
            "USER": lambda one: setattr(self, "user", one.rest),
            "CMD": lambda one: setattr(self, "command", one.words),
            "STOPSIGNAL": lambda _: None,
        }
        if one.keyword not in steps:
            raise UnknownInstructionError(one.keyword)
        print(f"  {one.keyword} {one.rest[:90]}", flush=True)
        steps[one.keyword](one)

    def _run(self, one: Instruction) -> None:
        """As a build does, but again after a failure: the registries are not what is on trial."""
        for attempt in range(ATTEMPTS_AT_RUN):
            environment = {**self.environment, "DEBIAN_FRONTEND": "noninteractive"} | proxies()
            ended = subprocess.run(("sh", "-c", one.rest), env=environment, check=False)
            if ended.returncode == 0:
                return
            time.sleep(5 * attempt)
        sys.exit(f"edge image: RUN failed: {one.rest}")

    def _copy(self, one: Instruction) -> None:
        *names, folder = one.words
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(CONTEXT / name, folder)

    def start(self, given: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start what the image starts, as its user, in its environment and nothing else."""
        uid, gid = self.user.split(":")
        identity = (
            "setpriv",
            f"--reuid={uid}",
            f"--regid={gid}",
            "--clear-groups",
            "--no-new-privs",
        )
        return subprocess.Popen(
            (*identity, *self.command),
            env={**self.environment, **given},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def proxies() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name.lower().endswith("_proxy")}


def make_certificate(folder: Path, owner: int) -> ssl.SSLContext:
    """Make what the service edge-certificate makes; return a client's trust in it."""
    folder.mkdir(exist_ok=True)
    key, certificate = folder / "edge.key", folder / "edge.crt"
    subprocess.run(
        (
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ),
        check=True,
        capture_output=True,
    )
    for path in (folder, key, certificate):
        os.chown(path, owner, owner)
    return ssl.create_default_context(cafile=str(certificate))


def ask(trust: ssl.SSLContext, target: str) -> tuple[int, str, bytes]:
    connection = http.client.HTTPSConnection("localhost", HTTPS, context=trust, timeout=10)
    return _answer(connection, target)


def ask_plainly(target: str) -> tuple[int, str, bytes]:
    return _answer(http.client.HTTPConnection("localhost", HTTP, timeout=10), target)


def _answer(connection: http.client.HTTPConnection, target: str) -> tuple[int, str, bytes]:
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", ""), answer.read()
    finally:
        connection.close()


def wait_until_it_listens(edge: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and edge.poll() is None:
        try:
            socket.create_connection((LOOPBACK, HTTPS), timeout=1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    edge.kill()
    output = edge.communicate()[0].decode(errors="replace")
    sys.exit(f"edge image: nginx did not come up:\n{output}")


def examine(trust: ssl.SSLContext) -> None:
    """Ask for what it promises; SystemExit names the first answer that is another."""
    expect("a request is passed on", ask(trust, "/livez?q=1"), (200, "", LOOPBACK.encode()))
    attack = ask(trust, "/api/products?q=%27%20OR%201%3D1--")
    expect("an attack is refused", attack[:2], (403, ""))
    led = ask_plainly("/api/products?token=q-secret")
    expect(
        "plain HTTP is led to TLS",
        led[:2],
        (308, "https://localhost:443/api/products?token=q-secret"),
    )
    healthy = subprocess.run(
        (
            *("curl", "-sf", "-o", "/dev/null", "--cacert", "/certificates/edge.crt"),
            f"https://localhost:{HTTPS}/livez",
        ),
        check=False,
    )
    expect("the health check of Compose is content", healthy.returncode, 0)


def expect(what: str, seen: object, right: object) -> None:
    if seen != right:
        sys.exit(f"edge image: {what}: expected {right!r}, but got {seen!r}")
    print(f"  ok: {what}", flush=True)


def main() -> None:
    if not MARK.exists():
        sys.exit(
            "edge image: this changes the machine it runs on. "
            "Fix: make bare RUN='python3 -m tests.bare.edge_image'"
        )
    image = Image()
    for one in instructions((CONTEXT / "Dockerfile").read_text()):
        image.follow(one)
    trust = make_certificate(Path("/certificates"), int(image.user.split(":")[0]))
    gateway = ThreadingHTTPServer((LOOPBACK, 0), Gateway)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    port = gateway.server_address[1]
    edge = image.start({"EDGE_GATEWAYS": f"server {LOOPBACK}:{port} max_fails=0;"})
    wait_until_it_listens(edge)
    examine(trust)
    edge.send_signal(signal.SIGQUIT)
    log = edge.communicate(timeout=30)[0].decode()
    expect("it ends as it should", edge.returncode, 0)
    expect("its log tells of each request", log.count('"event":"http.request"') >= 4, True)
    expect("its log holds no query", "q-secret" in log, False)


if __name__ == "__main__":
    main()
