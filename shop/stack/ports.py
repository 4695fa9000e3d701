"""Which port everything listens on, and who holds a port that is taken."""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from shop.stack.errors import StackError

LOOPBACK = "127.0.0.1"
# Where the edge calls the gateway from, so that X-Forwarded-For is believed of nobody else.
EDGE_SOURCE = "127.0.0.2"
EDGE_PORTS = ("edge", "edge_http")
HIGHEST_PORT = 65535
OFFSET_VARIABLE = "SHOP_PORT_OFFSET"
KERNEL_SETTINGS = Path("/proc/sys/net/ipv4")
USUAL_OUTGOING = (32_768, 60_999)
SHOWN_PORTS = 3
# Below where outgoing connections take theirs from, so a killed server finds its port free.
FREE_PORT_RANGE = range(20_000, 32_000)

# What this program was given; its own locks would not stop it from being given them again.
_claimed: set[int] = set()


@dataclass(frozen=True)
class Ports:
    """The port of every part and process; ``SHOP_<NAME>_PORT`` sets each."""

    gateway: int = 8080
    user: int = 8081
    catalog: int = 8082
    order: int = 8083
    notification: int = 8084
    payment_sandbox: int = 8085
    gateway_metrics: int = 9080
    user_worker: int = 9081
    catalog_worker: int = 9082
    order_worker: int = 9083
    notification_worker: int = 9084
    mysql_users: int = 3306
    mysql_catalog: int = 3307
    mysql_orders: int = 3308
    mysql_notifications: int = 3309
    redis: int = 6379
    localstack: int = 4566
    redis_commander: int = 8090
    edge: int = 8443
    edge_http: int = 8480

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], remembered: "Ports | None" = None
    ) -> "Ports":
        """Read the ports, those not set as remembered; raises StackError naming a wrong one."""
        base = cls() if remembered is None or OFFSET_VARIABLE in environment else remembered
        offset = _offset(environment)
        chosen = {name: _port(environment, name, base.of(name), offset) for name in cls.names()}
        _refuse_doubles(chosen)
        return cls(**chosen)

    @classmethod
    def free(cls) -> "Ports":
        """Ports of our own, each different: see `free_ports`."""
        return cls(**dict(zip(cls.names(), free_ports(len(cls.names())), strict=True)))

    def of(self, name: str) -> int:
        port: int = getattr(self, name.replace("-", "_"))
        return port

    def items(self) -> Iterator[tuple[str, int]]:
        return ((name, self.of(name)) for name in self.names())


def port_variable(name: str) -> str:
    return f"SHOP_{name.replace('-', '_').upper()}_PORT"


def free_ports(count: int, within: range = FREE_PORT_RANGE) -> list[int]:
    """Random ports nobody listens on, kept from all who ask here until this program ends.

    Raises StackError if there are not as many left.
    """
    outgoing = Outgoing.of_this_machine()
    left = [port for port in within if not outgoing.includes(port)] or list(within)
    candidates = random.sample(left, len(left))
    found: list[int] = []
    while len(found) < count:
        if not candidates:
            raise StackError(
                f"no free port is left between {within.start} and {within.stop - 1}",
                "end the programs that listen there",
            )
        port = candidates.pop()
        if _claim(port) and not is_taken(port):
            found.append(port)
    return found


def _claim(port: int) -> bool:
    """Lock the byte of that number in a file all programs share; the lock ends with the program.

    Two stacks that choose at once would otherwise take a port that the other has yet to open.
    """
    if port in _claimed:
        return False
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _claimed.add(port)
    return True


@cache
def _claims() -> int:
    """Open the file for as long as this program lives: closing it would end the locks."""
    path = Path(tempfile.gettempdir()) / f"shop-ports-{os.getuid()}.lock"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection lingering in TIME_WAIT does not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def refuse_taken(wanted: Mapping[str, int]) -> None:
    """Raise StackError for the first port somebody else listens on, naming the holder."""
    for name, port in wanted.items():
        if is_taken(port):
            raise port_taken(name, port)


def port_taken(name: str, port: int) -> StackError:
    if is_privileged(port):
        return _for_root_alone(name, port)
    by, stop = _who_holds(port)
    variable = port_variable(name)
    return StackError(
        f"port {port} for {name.replace('_', '-')} is taken {by}",
        f"{stop}, or choose another port: {variable}={_suggestion(port)} "
        f"(all at once: {OFFSET_VARIABLE}=10000)",
    )


def _who_holds(port: int) -> tuple[str, str]:
    """Say who has the port, and how it becomes free."""
    holder = holder_of(port)
    if holder is not None:
        return f"by {holder.command} (pid {holder.pid})", f"kill {holder.pid}"
    if not _listening_inodes(port):
        return "by a connection", "wait until it ends"
    return "by another user's process", "stop that process"


def is_privileged(port: int) -> bool:
    """Whether only root may listen there."""
    return os.geteuid() != 0 and port < _kernel_numbers("ip_unprivileged_port_start", (1024,))[0]


def _for_root_alone(name: str, port: int) -> StackError:
    return StackError(
        f"port {port} for {name.replace('_', '-')} may be opened by root alone",
        f"choose one from 1024: {port_variable(name)}={getattr(Ports, name.replace('-', '_'))}",
    )


@dataclass(frozen=True)
class Outgoing:
    """The ports from which this machine gives one to each connection it makes, by chance."""

    first: int
    last: int
    reserved: tuple[range, ...] = ()

    @classmethod
    def of_this_machine(cls, settings: Path = KERNEL_SETTINGS) -> "Outgoing":
        first, last = _kernel_numbers("ip_local_port_range", USUAL_OUTGOING, settings)
        return cls(first, last, _reserved(settings))

    def includes(self, port: int) -> bool:
        """Whether a connection may hold the port just when a server wants it."""
        return self.first <= port <= self.last and not any(port in part for part in self.reserved)

    def warning(self, wanted: Mapping[str, int]) -> StackError | None:
        """Return what there is to say of ports that a connection may hold, as cause and fix."""
        risky = [
            f"{name.replace('_', '-')} {port}"
            for name, port in wanted.items()
            if self.includes(port)
        ]
        if not risky:
            return None
        return StackError(
            f"outgoing connections of this machine take ports from {self.first} to {self.last}, "
            f"and by chance one of ours: {_some(risky)}",
            f"choose ports below {self.first} (the usual ones moved: {OFFSET_VARIABLE}=10000), or "
            f"keep them free: sysctl net.ipv4.ip_local_reserved_ports",
        )


def _some(words: list[str]) -> str:
    rest = len(words) - SHOWN_PORTS
    return ", ".join(words[:SHOWN_PORTS]) + (f" and {rest} more" if rest > 0 else "")


def _kernel_numbers(
    name: str, usual: tuple[int, ...], settings: Path = KERNEL_SETTINGS
) -> tuple[int, ...]:
    """Read a setting of the kernel's that holds numbers; as usual where it cannot be read."""
    try:
        numbers = tuple(int(word) for word in (settings / name).read_text().split())
    except (OSError, ValueError):
        return usual
    return numbers if len(numbers) == len(usual) else usual


def _reserved(settings: Path) -> tuple[range, ...]:
    """Read the ports that are given to no connection, such as `8080,9000-9999`."""
    try:
        parts = (settings / "ip_local_reserved_ports").read_text().strip().split(",")
        bounds = [part.split("-") for part in parts if part]
        return tuple(range(int(bound[0]), int(bound[-1]) + 1) for bound in bounds)
    except (OSError, ValueError):
        return ()


@dataclass(frozen=True)
class Holder:
    pid: int
    command: str


def holder_of(port: int) -> Holder | None:
    """Find the process listening on the port, as far as /proc lets us see it."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*") if sockets else ():
        if _holds_one_of(process, sockets):
            return Holder(int(process.name), _command(process))
    return None


def _offset(environment: Mapping[str, str]) -> int:
    text = environment.get(OFFSET_VARIABLE, "0")
    if text.isdecimal() and int(text) < HIGHEST_PORT:
        return int(text)
    raise StackError(
        f"{OFFSET_VARIABLE} must be a whole number from 0, but is {text!r}",
        f"unset it, or set for example {OFFSET_VARIABLE}=10000",
    )


def _port(environment: Mapping[str, str], name: str, base: int, offset: int) -> int:
    variable = port_variable(name)
    text = environment.get(variable)
    if not text and base + offset > HIGHEST_PORT:
        raise StackError(
            f"{OFFSET_VARIABLE}={offset} moves {name.replace('_', '-')} to port {base + offset}, "
            f"and {HIGHEST_PORT} is the last",
            f"set for example {OFFSET_VARIABLE}=10000",
        )
    text = text or str(base + offset)
    if text.isdecimal() and 1 <= int(text) <= HIGHEST_PORT:
        return int(text)
    raise StackError(
        f"{variable} must be a port from 1 to {HIGHEST_PORT}, but is {text!r}",
        f"set for example {variable}={getattr(Ports, name)}",
    )


def _refuse_doubles(chosen: Mapping[str, int]) -> None:
    seen: dict[int, str] = {}
    for name, port in chosen.items():
        if port in seen:
            first, second = port_variable(seen[port]), port_variable(name)
            raise StackError(
                f"{first} and {second} are both {port}", f"set {second} to another port"
            )
        seen[port] = name


def _suggestion(port: int) -> int:
    """Return a free port near enough to remember and far enough from our other defaults."""
    candidates = range(port + 100, min(port + 200, HIGHEST_PORT))
    return next((candidate for candidate in candidates if not is_taken(candidate)), port)


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        inodes |= {row.split()[9] for row in rows if _is_listening(row.split(), port)}
    return inodes


def _is_listening(columns: list[str], port: int) -> bool:
    listening = "0A"
    return columns[3] == listening and int(columns[1].rsplit(":", 1)[1], 16) == port


def _holds_one_of(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(handle.readlink()) in sockets for handle in (process / "fd").iterdir())
    except OSError:
        return False


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "a process"
    return " ".join([Path(words[0]).name, *words[1:4]]).strip()[:80] or "a process"
