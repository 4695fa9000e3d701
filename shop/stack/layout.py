"""Where one local stack lives: its folder, its ports, its databases and their addresses."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shop.stack import memory
from shop.stack.ports import EDGE_PORTS, LOOPBACK, Ports

REPOSITORY = Path(__file__).resolve().parents[2]
HOME_VARIABLE = "SHOP_LOCAL"
CHOICE_VARIABLE = "SHOP_DATABASE_SERVER"
LOCAL = Path(os.environ.get(HOME_VARIABLE) or REPOSITORY / ".local")
DATABASE_USER = "shop"
REGION = "ap-south-1"
ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Service:
    """One of the four services: its name, package, database and the part that carries it."""

    name: str
    package: str
    database: str
    mysql: str


SERVICES = {
    service.name: service
    for service in (
        Service("user", "user_service", "users_db", "mysql-users"),
        Service("catalog", "catalog_service", "catalog_db", "mysql-catalog"),
        Service("order", "order_service", "orders_db", "mysql-orders"),
        Service("notification", "notification_service", "notifications_db", "mysql-notifications"),
    )
}
MODULES = {
    "payment-sandbox": "shop.payment_sandbox",
    **{service.name: f"{service.package}.main" for service in SERVICES.values()},
    "gateway": "gateway.main",
    **{f"{service.name}-worker": f"{service.package}.worker" for service in SERVICES.values()},
}
PROCESS_NAMES = tuple(MODULES)


def original(name: str) -> str:
    """Return ``catalog`` for its twin ``catalog-2``, any other name as it is."""
    return re.sub(r"-\d+$", "", name)


@dataclass(frozen=True)
class Layout:
    """What distinguishes one stack from another beside it on the same machine.

    ``home`` holds everything the stack writes; ``downloads`` the fetched programs, which stacks
    share. With ``single_mysql`` one server carries all four databases. With ``die_with_parent``
    the kernel ends every process as soon as the thread that started it is gone. ``twins`` are
    further processes beside the first of their kind, such as ``catalog-2``, each with its port.
    With ``is_supervised`` a process that dies is brought back.
    """

    home: Path
    downloads: Path
    ports: Ports
    single_mysql: bool = False
    profile: str = "dev"
    die_with_parent: bool = False
    with_commander: bool = True
    with_edge: bool = False
    is_supervised: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    process_env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    twins: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def local(cls, environment: Mapping[str, str] | None = None) -> "Layout":
        """Lay out the developer's stack under .local/.

        Ports come from the environment, else from the stack that is up, else they are the usual.
        """
        variables = os.environ if environment is None else environment
        ports = Ports.from_environment(variables, memory.recall_ports(LOCAL))
        with_edge = memory.recall_edge(LOCAL)
        return cls(
            home=LOCAL, downloads=LOCAL, ports=ports, with_edge=with_edge, is_supervised=True
        )

    @classmethod
    def for_tests(cls, home: Path, *, env: Mapping[str, str] | None = None) -> "Layout":
        """Lay out a stack beside the developer's: free ports, one MySQL, gone with the test run."""
        return cls(
            home=home,
            downloads=LOCAL,
            ports=Ports.free(),
            single_mysql=True,
            profile="test",
            die_with_parent=True,
            with_commander=False,
            env=env or {},
        )

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def logs(self) -> Path:
        return self.home / "log"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def redis_url(self) -> str:
        return f"redis://{LOOPBACK}:{self.ports.redis}/0"

    @property
    def aws_endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.localstack}"

    def url(self, process: str) -> str:
        """Return the base URL of a process, for example of ``gateway`` or ``order-worker``."""
        return f"http://{LOOPBACK}:{self.port_of(process)}"

    def urls(self, service: str) -> str:
        """Return the base URLs of a service and its twins, as the settings list them."""
        twins = (name for name in self.twins if original(name) == service)
        return ",".join(self.url(name) for name in (service, *twins))

    def port_of(self, name: str) -> int:
        return self.twins[name] if name in self.twins else self.ports.of(name)

    def wanted_ports(self) -> dict[str, int]:
        """Return the ports by their names, those of the edge only where there is to be one."""
        return {
            name: port
            for name, port in self.ports.items()
            if self.with_edge or name not in EDGE_PORTS
        }

    def mysql_port(self, service: str) -> int:
        first = next(iter(SERVICES.values()))
        return self.ports.of(first.mysql if self.single_mysql else SERVICES[service].mysql)

    def mysql_servers(self) -> dict[str, tuple[str, ...]]:
        """Name the MySQL servers to run, each with the databases it carries."""
        if self.single_mysql:
            return {"mysql-users": tuple(service.database for service in SERVICES.values())}
        return {service.mysql: (service.database,) for service in SERVICES.values()}
