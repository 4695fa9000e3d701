"""The stack in Docker and the one without it are the same: setting by setting."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_core import PydanticUndefined

from shop.stack import edge, localstack, mysql, redis
from shop.stack.credentials import Secrets
from shop.stack.environment import DEFAULTS, process_environment
from shop.stack.layout import PROCESS_NAMES, REPOSITORY, Layout
from shop.stack.ports import Ports
from tests.unit.deploy.test_compose import settings_models

COMPOSE: Mapping[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
SECRETS = Secrets("shop", "changeme")

# Where something is; what is reached there is held together by other tests.
ADDRESSES = re.compile(r"_(URL|URLS|HOST|PORT|FILE)$")
NOT_COMPARED = {
    "SHOP_TRUSTED_PROXIES": "the address of the edge, or of the gateway",
    "SHOP_PAYMENT_WEBHOOK_SECRET": "made anew for each stack, published for the other",
}
LOCALSTACK_PLACES = {
    *("GATEWAY_LISTEN", "LOCALSTACK_HOST", "FILESYSTEM_ROOT", "TMPDIR", "XDG_CACHE_HOME"),
    # What its image brings along, or does without by itself.
    *("SKIP_SSL_CERT_DOWNLOAD", "DNS_ADDRESS", "OVERRIDE_IN_DOCKER"),
}
# Read by the hook that makes the queues, which natively runs apart.
HOOK_SETTINGS = {"AWS_DEFAULT_REGION", "MAIL_SENDER", "OPS_ADDRESS", "IMAGE_BUCKET"}
LIMITS = ("_PER_MINUTE", "_PER_HOUR", "_PER_15MIN")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(home=tmp_path, downloads=tmp_path, ports=Ports())


def filled_in(value: object) -> str:
    """Return a value of the Compose file as it is when nothing is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def compose_environment(name: str) -> dict[str, str]:
    given = SERVICES[name].get("environment", {})
    return {key: filled_in(value) for key, value in given.items()}


def native_environment(
    layout: Layout, name: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    for variable in tuple(os.environ):
        if variable.startswith("SHOP_"):
            monkeypatch.delenv(variable)
    return process_environment(layout, SECRETS, name, {})


def defaults(process: str) -> dict[str, str]:
    """Return what a process goes by when nothing is said, for each variable that it reads."""
    return {
        f"{model.model_config['env_prefix']}{field}".upper(): _text(info.default)
        for model in settings_models(process)
        for field, info in model.model_fields.items()
    }


def _text(value: object) -> str:
    if value in (None, ()) or value is PydanticUndefined:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize("process", PROCESS_NAMES)
def test_a_process_goes_by_the_same_settings_in_both(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    usual = defaults(process)
    native = {**usual, **native_environment(layout, process, monkeypatch)}
    docker = {**usual, **compose_environment(process)}
    compared = {name for name in usual if not ADDRESSES.search(name)} - NOT_COMPARED.keys()
    assert compared
    differing = {
        name: (native[name], docker[name]) for name in compared if native[name] != docker[name]
    }
    assert not differing


@pytest.mark.parametrize("process", ["notification", "notification-worker"])
def test_links_in_mails_lead_to_the_gateway_in_both(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    native = native_environment(layout, process, monkeypatch)
    assert native["SHOP_STOREFRONT_URL"] == "http://127.0.0.1:8080"
    given = SERVICES[process]["environment"]["SHOP_STOREFRONT_URL"]
    assert given == "http://127.0.0.1:${SHOP_GATEWAY_PORT:-8080}"


def test_redis_reads_the_same_file_in_both(layout: Layout) -> None:
    """What else is said to it is where it is."""
    argv = redis.spec(layout, ("redis-server",)).argv
    assert argv[1] == str(REPOSITORY / "deploy/redis/shop.conf")
    assert set(argv[2::2]) == {"--port", "--bind", "--dir"}
    service = SERVICES["redis"]
    place = "/usr/local/etc/redis/redis.conf"
    assert f"./deploy/redis/shop.conf:{place}:ro" in service["volumes"]
    assert service["command"] == ["redis-server", place, "--protected-mode", "no"]


def test_redis_fits_the_memory_of_its_container() -> None:
    lines = redis.SETTINGS.read_text().splitlines()
    settings = dict(line.split(None, 1) for line in lines if line and not line.startswith("#"))
    assert settings["maxmemory-policy"] == "volatile-ttl"
    limit, container = settings["maxmemory"], SERVICES["redis"]["mem_limit"]
    # Half as much again for fragments, and for the copy of what changes while the log is rewritten.
    assert 1.5 * int(limit.removesuffix("mb")) <= int(container.removesuffix("m"))


@pytest.mark.parametrize(
    "name", ["mysql-users", "mysql-catalog", "mysql-orders", "mysql-notifications"]
)
def test_mysql_reads_the_same_file_in_both(layout: Layout, name: str) -> None:
    """What else is said to it is where it is and which of the servers it is."""
    server = mysql.Server(mysql.MYSQL, "8.4.0", ("mysqld",), "/usr/share/mysql")
    layout.keys.mkdir(parents=True)
    argv = set(mysql.spec(layout, server, SECRETS, name).argv)
    assert {f"--{key}={value}" for key, value in mysql.settings().items()} <= argv
    others = {word.split("=")[0] for word in argv - set(mysql.arguments(mysql.MYSQL))}
    assert others <= {
        *{word.split("=")[0] for word in mysql.PLACE},
        *("mysqld", "--no-defaults", "--datadir", "--tmpdir", "--user", "--port", "--init-file"),
    }
    service = SERVICES[name]
    assert "./deploy/mysql/shop.cnf:/etc/mysql/conf.d/shop.cnf:ro" in service["volumes"]
    assert [word.split("=")[0] for word in service["command"]] == ["mysqld", "--server-id"]


def test_mariadb_is_given_what_it_knows() -> None:
    words = {word.split("=")[0] for word in mysql.arguments(mysql.MARIADB)}
    assert not words & {"--gtid-mode", "--mysqlx", "--innodb-redo-log-capacity"}
    assert {"--innodb-log-file-size", "--binlog-format", "--sync-binlog"} <= words


def test_localstack_is_the_same_and_set_up_the_same_in_both(layout: Layout) -> None:
    service = SERVICES["localstack"]
    assert service["image"] == f"localstack/localstack:{localstack.VERSION}"
    assert f"localstack-core=={localstack.VERSION}" in localstack.REQUIREMENTS.read_text()
    native = localstack.spec(layout).wiring
    docker = compose_environment("localstack")
    assert {key: native[key] for key in native.keys() - LOCALSTACK_PLACES} == {
        key: docker[key] for key in docker.keys() - LOCALSTACK_PLACES - HOOK_SETTINGS
    }


def test_the_edge_has_the_same_limits_in_both() -> None:
    docker = compose_environment("edge")
    for name, usual in edge.SETTINGS.items():
        assert docker[name.removeprefix("SHOP_")] == usual


def test_what_the_local_stack_widens_is_widened_in_both() -> None:
    widened = {name: value for name, value in DEFAULTS.items() if name.endswith(LIMITS)}
    given = {**compose_environment("gateway"), **compose_environment("user")}
    assert {name: given[name] for name in widened} == widened
