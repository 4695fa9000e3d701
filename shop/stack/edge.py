"""The edge in front of the gateway: nginx with TLS and a web application firewall.

nginx, ModSecurity and the OWASP core rules are Debian's packages, unpacked under ``.local/`` and
configured by ``deploy/edge``, as in the image for Docker.
"""

import http.client
import os
import re
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shop.stack import certificate, debian
from shop.stack.errors import StackError
from shop.stack.layout import HOME_VARIABLE, REPOSITORY, Layout
from shop.stack.ports import EDGE_SOURCE, LOOPBACK
from shop.stack.processes import Spec
from shop.stack.progress import Progress

NAME = "edge"
PACKAGES = ["nginx", "libnginx-mod-stream", "libnginx-mod-http-modsecurity", "modsecurity-crs"]
NGINX = "usr/sbin/nginx"
MODULES = (
    "usr/lib/nginx/modules/ngx_stream_module.so",
    "usr/lib/nginx/modules/ngx_http_modsecurity_module.so",
)
RULES = "usr/share/modsecurity-crs/rules"
FILES = REPOSITORY / "deploy/edge"
TEMPLATE = "nginx.conf.template"
SOCKETS = ("http.sock", "tls.sock", "firewall.sock")
ANSWER_TIMEOUT_S = 2.0
# sun_path of unix(7) has 108 bytes, the last of them zero.
LONGEST_SOCKET_PATH = 107
SETTINGS = {
    "SHOP_EDGE_HEADER_TIMEOUT_S": "10",
    "SHOP_EDGE_BODY_TIMEOUT_S": "10",
    "SHOP_EDGE_SEND_TIMEOUT_S": "10",
    # The next server waits 45 s for this one, and gateways have their own limit below both.
    "SHOP_EDGE_GATEWAY_TIMEOUT_S": "35",
    # Of one address at once, where on a developer's machine everybody is one address: requests
    # beyond are answered 429, connections beyond are closed.
    "SHOP_EDGE_REQUESTS": "500",
    "SHOP_EDGE_CONNECTIONS": "1000",
    "SHOP_EDGE_LOG_LEVEL": "crit",
    # Short: a browser that once learnt it for `localhost` asks every port there for TLS.
    "SHOP_EDGE_HSTS_S": "300",
}
_PLACE = re.compile(r"\$\{(EDGE_[A-Z_]+)\}")
_SAFE = re.compile(r"[A-Za-z0-9]{1,16}")


@dataclass(frozen=True)
class Edge:
    """One edge of a stack: ``settings`` are the SHOP_EDGE_* that differ from SETTINGS."""

    layout: Layout
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.layout.run / NAME

    @property
    def sockets(self) -> list[Path]:
        """Where the servers of this nginx reach each other."""
        return [self.folder / name for name in SOCKETS]

    @property
    def certificate(self) -> Path:
        return self.layout.keys / certificate.CERTIFICATE

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.layout.ports.edge}"

    def spec(self) -> Spec:
        """Write what nginx reads and say how it is started. Raises StackError if it is missing."""
        tree = _tree(self.layout)
        certificate.make_if_needed(self.layout.keys)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._refuse_long_path()
        text = filled_in((FILES / TEMPLATE).read_text(), self.values())
        (self.folder / "nginx.conf").write_text(text)
        argv = (
            *tree.command(NGINX),
            *("-p", str(self.folder), "-e", "stderr", "-c", "nginx.conf"),
            *("-g", self._main_directives()),
        )
        wiring = {path.name: path.read_text() for path in FILES.glob("*.conf")}
        return Spec(
            name=NAME,
            argv=argv,
            env=debian.environment_of(argv),
            cwd=self.layout.home,
            wiring={**wiring, "nginx.conf": text},
            # An nginx that was killed has left them: the next one could not listen there.
            leftovers=tuple(map(str, self.sockets)),
        )

    def values(self) -> dict[str, str]:
        """Return what the places of the template are filled with."""
        ports = self.layout.ports
        names = {name.removeprefix("SHOP_"): text for name, text in self._limits().items()}
        return names | {
            "EDGE_ROOT": str(_folder(self.layout)),
            "EDGE_FILES": str(FILES),
            "EDGE_RUN": str(self.folder),
            "EDGE_LOG": "/dev/stdout",
            "EDGE_CERTIFICATES": str(self.layout.keys),
            "EDGE_HTTPS": f"{LOOPBACK}:{ports.edge}",
            "EDGE_HTTP": f"{LOOPBACK}:{ports.edge_http}",
            "EDGE_PUBLIC_PORT": str(ports.edge),
            "EDGE_HOSTS": "",
            "EDGE_GATEWAYS": " ".join(
                f"server {url.removeprefix('http://')} max_fails=0;"
                for url in self.layout.urls("gateway").split(",")
            ),
            "EDGE_SOURCE": f"proxy_bind {EDGE_SOURCE};",
        }

    def answers(self) -> bool:
        """Whether it brings an answer of the gateway over TLS, with the certificate it should."""
        connection = http.client.HTTPSConnection(
            LOOPBACK, self.layout.ports.edge, timeout=ANSWER_TIMEOUT_S, context=self.trust()
        )
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def trust(self) -> ssl.SSLContext:
        """Return a client's settings that trust this certificate and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def _limits(self) -> dict[str, str]:
        chosen = {name: os.environ.get(name, usual) for name, usual in SETTINGS.items()}
        chosen |= self.settings
        for name, text in chosen.items():
            if not _SAFE.fullmatch(text):
                raise StackError(
                    f"{name} must be a number or a word, but is {text!r}", f"unset {name}"
                )
        return chosen

    def _refuse_long_path(self) -> None:
        longest = max(self.sockets, key=lambda path: len(os.fsencode(path)))
        if len(os.fsencode(longest)) > LONGEST_SOCKET_PATH:
            raise StackError(
                f"{longest} is too long for the path of a socket",
                f"set {HOME_VARIABLE} to a folder with a shorter name",
            )

    def _main_directives(self) -> str:
        """Return what belongs to this machine alone, not to the edge in general."""
        directives = ["daemon off"]
        if os.geteuid() == 0:
            directives.append("user root")
        if self.layout.die_with_parent:
            # The kernel ends one process with the test run, not its children.
            directives.append("master_process off")
        return "; ".join(directives) + ";"


def prepare(layout: Layout, progress: Progress) -> None:
    """Fetch nginx, ModSecurity and the rules if need be; StackError if they cannot be had."""
    if is_fetched(layout):
        return
    try:
        source = debian.release()
        label = f"nginx with ModSecurity from {source.distribution.title()} {source.codename}"
        with progress.step(f"fetching {label}") as step:
            debian.fetch(_folder(layout), source, source.codename, PACKAGES, step)
            progress.done(f"fetched {label}", step.elapsed_s)
    except StackError as error:
        raise StackError(
            f"the edge needs nginx with ModSecurity, which cannot be had: {error.cause}",
            f"{error.fix}, or make up without EDGE=1",
        ) from error
    _tree(layout)


def is_fetched(layout: Layout) -> bool:
    tree = debian.Tree(_folder(layout))
    return all(tree.holds(path) for path in (NGINX, *MODULES, RULES))


def label(layout: Layout) -> str:
    """Name the fetched nginx by its version."""
    nginx = _tree(layout).command(NGINX)
    answer = subprocess.run((*nginx, "-v"), capture_output=True, text=True, check=False)
    return answer.stderr.strip().rpartition(" ")[2].replace("/", " ") or "nginx"


def filled_in(template: str, values: Mapping[str, str]) -> str:
    """Put values in the places of a template, as envsubst does in the image; nginx's own $ stay.

    Raises KeyError if a place has no value.
    """
    return _PLACE.sub(lambda place: values[place[1]], template)


def _tree(layout: Layout) -> debian.Tree:
    if not is_fetched(layout):
        raise StackError(f"{_folder(layout)} is incomplete", f"rm -r {_folder(layout)}")
    return debian.Tree(_folder(layout))


def _folder(layout: Layout) -> Path:
    return layout.downloads / NAME
