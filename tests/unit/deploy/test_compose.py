"""What docker-compose.yml promises, read from the file itself."""

import re
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from common_lib.settings.production import PUBLISHED_SECRETS
from shop.stack.layout import MODULES
from shop.stack.ports import Ports, port_variable

ROOT = Path(__file__).resolve().parents[3]
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]

APP_IMAGE = "ecommerce-platform:0.1.0"
DATABASES = {
    "mysql-users": "users_db",
    "mysql-catalog": "catalog_db",
    "mysql-orders": "orders_db",
    "mysql-notifications": "notifications_db",
}
MIGRATIONS = {
    "migrate-user": "mysql-users",
    "migrate-catalog": "mysql-catalog",
    "migrate-order": "mysql-orders",
    "migrate-notification": "mysql-notifications",
}
ONE_SHOTS = {"keys", "queues", *MIGRATIONS}
ON_REQUEST = {"seed"}
# Parts of a profile of their own, which the shop does without, and what prepares them.
PROFILED = {"elasticsearch", "edge"}
PREPARING = {"edge-certificate"}
# A tool that stays: it serves nobody and listens nowhere.
KEEPER = "bus-keeper"
LONG_RUNNING = set(SERVICES) - ONE_SHOTS - ON_REQUEST - PROFILED - PREPARING - {KEEPER}
PROCESSES = {name for name in LONG_RUNNING if SERVICES[name]["image"] == APP_IMAGE}


def depends_on(name: str) -> Mapping[str, Any]:
    dependencies: Mapping[str, Any] = SERVICES[name].get("depends_on", {})
    return dependencies


def awaited_as(name: str, condition: str) -> bool:
    return any(depends_on(other).get(name) == {"condition": condition} for other in SERVICES)


def settings_models(process: str) -> list[type[BaseSettings]]:
    """Every settings class a process can be reading, its worker's included."""
    package = SERVICES[process]["command"][2].rsplit(".", 1)[0]
    module = import_module("shop.payment_sandbox" if package == "shop" else f"{package}.settings")
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseSettings) and value is not BaseSettings
    ]


def variables_read(process: str) -> set[str]:
    return {
        f"{model.model_config['env_prefix']}{field}".upper()
        for model in settings_models(process)
        for field in model.model_fields
    }


# What the brief says each listens on.
PORTS_OF_THE_BRIEF = {
    "user": 8081,
    "catalog": 8082,
    "order": 8083,
    "notification": 8084,
    "mysql-users": 3306,
    "mysql-catalog": 3307,
    "mysql-orders": 3308,
    "mysql-notifications": 3309,
    "redis-commander": 8090,
}


@pytest.mark.parametrize(("name", "port"), PORTS_OF_THE_BRIEF.items())
def test_the_ports_are_those_of_the_brief(name: str, port: int) -> None:
    published, *_ = SERVICES[name]["ports"]
    assert f":-{port}}}:" in published
    assert Ports().of(name) == port


def test_the_parts_are_four_databases_redis_7_and_localstack() -> None:
    images = {name: SERVICES[name]["image"].split(":") for name in LONG_RUNNING - PROCESSES}
    databases = {name for name, (image, _) in images.items() if image == "mysql"}
    assert databases == set(DATABASES)
    assert images["redis"][0] == "redis"
    assert images["redis"][1].startswith("7.")
    assert images["localstack"][0] == "localstack/localstack"


def test_every_part_of_the_shop_is_there() -> None:
    infrastructure = {*DATABASES, "redis", "redis-commander", "localstack"}
    assert infrastructure == LONG_RUNNING - PROCESSES


def test_the_processes_have_the_names_and_commands_of_the_native_stack() -> None:
    commands = {name: SERVICES[name]["command"] for name in PROCESSES}
    assert commands == {name: ["python", "-m", module] for name, module in MODULES.items()}


@pytest.mark.parametrize("name", sorted(LONG_RUNNING | {KEEPER}))
def test_a_long_running_service_has_a_health_check_and_restarts(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries"} <= service["healthcheck"].keys()
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(ONE_SHOTS | PREPARING))
def test_a_one_shot_runs_once_and_is_waited_for(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"
    assert "healthcheck" not in SERVICES[name]
    assert awaited_as(name, "service_completed_successfully")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_dependencies_are_awaited_for_what_they_are(name: str) -> None:
    for dependency, wanted in depends_on(name).items():
        finished = dependency in ONE_SHOTS | PREPARING
        condition = "service_completed_successfully" if finished else "service_healthy"
        assert wanted == {"condition": condition}, dependency


@pytest.mark.parametrize(("migration", "database"), sorted(MIGRATIONS.items()))
def test_a_migration_waits_for_its_own_database(migration: str, database: str) -> None:
    service = migration.removeprefix("migrate-")
    assert SERVICES[migration]["command"] == ["python", "-m", "shop", "migrate", service]
    assert set(depends_on(migration)) == {database}
    host = f"@{database}:3306/{DATABASES[database]}"
    assert SERVICES[migration]["environment"]["SHOP_DATABASE_URL"].endswith(host)


@pytest.mark.parametrize("service", ["user", "catalog", "order", "notification"])
def test_service_and_worker_start_on_the_migrated_database(service: str) -> None:
    migrated = SERVICES[f"migrate-{service}"]["environment"]["SHOP_DATABASE_URL"]
    for process in (service, f"{service}-worker"):
        assert f"migrate-{service}" in depends_on(process)
        assert SERVICES[process]["environment"]["SHOP_DATABASE_URL"] == migrated


def test_workers_start_when_the_queues_exist() -> None:
    assert all("queues" in depends_on(name) for name in PROCESSES if name.endswith("-worker"))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned(name: str) -> None:
    repository, separator, tag = SERVICES[name]["image"].rpartition(":")
    assert repository
    assert separator
    assert re.search(r"\d+\.\d+\.\d+", tag), f"{tag} names no exact version"


def test_the_image_of_the_shop_is_built_once() -> None:
    built = [name for name, service in SERVICES.items() if "build" in service]
    assert built == ["keys", "edge"]
    assert SERVICES["edge"]["image"] != APP_IMAGE


@pytest.mark.parametrize("name", sorted(LONG_RUNNING | PROFILED))
def test_ports_are_bound_to_loopback_and_can_be_moved(name: str) -> None:
    assert SERVICES[name]["ports"], "what runs long can be reached"
    for published in SERVICES[name]["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{SHOP_\w+_PORT:-\d+\}:\d+", published)


def test_ports_and_their_variables_are_those_of_the_native_stack() -> None:
    listening = LONG_RUNNING | {"edge"}
    published = " ".join(port for name in listening for port in SERVICES[name]["ports"])
    found = dict(re.findall(r"\$\{(\w+):-(\d+)\}", published))
    assert found == {port_variable(f.name): str(f.default) for f in fields(Ports)}


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_publishes_the_port_it_listens_on(name: str) -> None:
    published, *_ = SERVICES[name]["ports"]
    assert published.rsplit(":", 1)[1] == SERVICES[name]["environment"]["SHOP_PORT"]


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_is_given_only_settings_that_somebody_reads(name: str) -> None:
    shared = set().union(*(variables_read(process) for process in PROCESSES))
    own = variables_read(name)
    given = set(SERVICES[name]["environment"])
    assert given <= shared, f"no process reads {sorted(given - shared)}"
    common = set(COMPOSE["x-environment"])
    assert given - common <= own, f"{name} does not read {sorted(given - common - own)}"


@pytest.mark.parametrize(
    "name", sorted(PROCESSES | ONE_SHOTS | ON_REQUEST | PREPARING | {"edge", KEEPER})
)
def test_our_containers_have_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_memory_and_logs_are_bounded(name: str) -> None:
    assert re.fullmatch(r"\d+[mg]", SERVICES[name]["mem_limit"])
    assert SERVICES[name]["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_has_time_to_finish_before_it_is_killed(name: str) -> None:
    grace_s = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    longest_s = max(m.model_fields["shutdown_grace_s"].default for m in settings_models(name))
    assert grace_s > longest_s


@pytest.mark.parametrize(("name", "database"), sorted(DATABASES.items()))
def test_each_database_is_a_durable_server_of_its_own(name: str, database: str) -> None:
    service = SERVICES[name]
    assert service["image"].startswith("mysql:8.4.")
    assert service["environment"]["MYSQL_DATABASE"] == database
    data, configuration = service["volumes"]
    assert data.split(":")[0] in COMPOSE["volumes"]
    assert configuration.startswith("./deploy/mysql/shop.cnf:")


def test_the_databases_are_configured_as_the_services_expect() -> None:
    lines = (ROOT / "deploy/mysql/shop.cnf").read_text().splitlines()
    settings = dict(line.split(" = ") for line in lines if " = " in line and line[0] != "#")
    assert settings["binlog-format"] == "ROW"
    assert settings["binlog-expire-logs-seconds"] == str(7 * 24 * 60 * 60)
    assert settings["transaction-isolation"] == "READ-COMMITTED"
    assert settings["innodb-lock-wait-timeout"] == "2"
    assert settings["sync-binlog"] == "1"
    assert settings["innodb-flush-log-at-trx-commit"] == "1"
    assert settings["default-time-zone"] == "+00:00"
    assert settings["collation-server"] == "utf8mb4_unicode_520_ci"


def test_redis_writes_carts_to_disk() -> None:
    lines = (ROOT / "deploy/redis/shop.conf").read_text().splitlines()
    assert {"appendonly yes", "appendfsync everysec"} <= set(lines)
    assert SERVICES["redis"]["image"].startswith("redis:7.")


def test_localstack_gets_its_topology_back_at_every_start() -> None:
    (hook,) = SERVICES["localstack"]["volumes"]
    target = "/etc/localstack/init/ready.d/localstack-init.sh"
    assert hook == f"./localstack-init.sh:{target}:ro"
    assert SERVICES["localstack"]["image"] == "localstack/localstack:4.13.1"


def test_what_localstack_forgot_is_published_again_for_as_long_as_it_runs() -> None:
    """It is started anew also without `up`, by the engine."""
    keeper = SERVICES[KEEPER]
    assert keeper["command"] == ["python", "-m", "shop", "bus", "keep"]
    assert depends_on(KEEPER).keys() == {"queues", *MIGRATIONS}
    given = keeper["environment"]
    for service in ("user", "catalog", "order", "notification"):
        own = SERVICES[service]["environment"]
        assert given[f"SHOP_{service.upper()}_DATABASE_URL"] == own["SHOP_DATABASE_URL"]
        for name in ("SHOP_AWS_ENDPOINT_URL", "SHOP_AWS_REGION", "SHOP_AWS_ACCESS_KEY_ID"):
            assert given[name] == own[name]
    kept = given["SHOP_BUS_KEPT_FILE"]
    assert kept.startswith(keeper["tmpfs"][0] + "/")
    assert kept in " ".join(keeper["healthcheck"]["test"])


def test_each_signing_key_is_mounted_only_where_it_is_used() -> None:
    def holders(volume: str) -> set[str]:
        mounts = {name: SERVICES[name]["volumes"] for name in PROCESSES}
        return {name for name, volumes in mounts.items() if any(volume in v for v in volumes)}

    assert holders("token-keys") == {"user"}
    assert holders("service-keys") == PROCESSES - {"payment-sandbox"}


def test_the_seed_runs_on_request_only() -> None:
    assert SERVICES["seed"]["profiles"] == ["seed"]
    assert SERVICES["seed"]["restart"] == "no"
    assert not any("profiles" in SERVICES[name] for name in LONG_RUNNING | ONE_SHOTS)


def test_elasticsearch_comes_with_its_profile_alone() -> None:
    part = SERVICES["elasticsearch"]
    assert part["profiles"] == ["search"]
    assert part["healthcheck"]
    for name in ("catalog", "catalog-worker"):
        given = SERVICES[name]["environment"]
        assert given["SHOP_SEARCH_BACKEND"] == "${SHOP_SEARCH_BACKEND:-mysql}"
        assert given["SHOP_ELASTICSEARCH_URL"] == "http://elasticsearch:9200"


def test_the_seed_fills_the_databases_that_the_services_use() -> None:
    environment = SERVICES["seed"]["environment"]
    for service in ("user", "catalog", "order"):
        filled = environment[f"SHOP_{service.upper()}_DATABASE_URL"]
        assert filled == SERVICES[service]["environment"]["SHOP_DATABASE_URL"]


def test_the_secrets_of_the_file_are_refused_in_production() -> None:
    secret = COMPOSE["x-webhook-secret"]["SHOP_PAYMENT_WEBHOOK_SECRET"]
    assert secret.removeprefix("${SHOP_PAYMENT_WEBHOOK_SECRET:-")[:-1] in PUBLISHED_SECRETS
    assert COMPOSE["x-environment"]["SHOP_AWS_SECRET_ACCESS_KEY"] in PUBLISHED_SECRETS


def test_the_edge_comes_with_its_profile_and_is_the_one_the_gateway_believes() -> None:
    assert SERVICES["edge"]["profiles"] == SERVICES["edge-certificate"]["profiles"] == ["edge"]
    address = SERVICES["edge"]["networks"]["edge"]["ipv4_address"]
    gateway = SERVICES["gateway"]
    assert gateway["environment"]["SHOP_TRUSTED_PROXIES"] == f"{address}/32"
    behind = f"server {gateway['networks']['edge']['ipv4_address']}:8080 max_fails=0;"
    assert SERVICES["edge"]["environment"]["EDGE_GATEWAYS"] == behind
