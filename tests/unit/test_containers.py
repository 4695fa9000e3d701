from collections.abc import Callable
from pathlib import Path
from signal import Signals
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from shop.stack.docker import COMPOSE_FILE
from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.native import NativeStack
from shop.stack.ports import Ports
from shop.stack.progress import Progress
from tests import containers
from tests.containers import Containers, ContainerStack, Part

COMPOSE = yaml.safe_load(COMPOSE_FILE.read_text())["services"]


def answers() -> bool:
    return True


def does_not_answer() -> bool:
    return False


class FakeContainer:
    """What we use of a container, wrapper and wrapped in one; each start is another process."""

    def __init__(self) -> None:
        self.status = "not_started"
        self.id = "c0ffee"
        self.attrs: dict[str, Any] = {"State": {"Pid": 0}}

    def start(self) -> None:
        self.status = "running"
        self.attrs["State"]["Pid"] += 1

    def reload(self) -> None:
        pass

    def get_wrapped_container(self) -> "FakeContainer":
        return self

    def pause(self) -> None:
        self.status = "paused"

    def unpause(self) -> None:
        self.status = "running"

    def kill(self, name: str) -> None:
        assert name in {"SIGTERM", "SIGKILL"}
        self.status = "exited"

    def logs(self) -> bytes:
        return b"ready\n"

    def stop(self) -> None:
        self.status = "removed"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(home=tmp_path, downloads=tmp_path, ports=Ports(), single_mysql=True)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeContainer]:
    """Collect the containers that are made, each a fake."""
    made: list[FakeContainer] = []

    def make(_part: Part) -> FakeContainer:
        made.append(FakeContainer())
        return made[-1]

    monkeypatch.setattr(containers, "container_of", make)
    return made


@pytest.fixture
def choose(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Callable[..., NativeStack]:
    def choose(stack: str | None, engine_answers: Callable[[], bool]) -> NativeStack:
        monkeypatch.delenv("STACK", raising=False)
        if stack is not None:
            monkeypatch.setenv("STACK", stack)
        return containers.stack_for(layout, Progress.silent(), engine_answers)

    return choose


def part(layout: Layout, name: str) -> Part:
    return next(part for part in ContainerStack(layout).parts() if part.name == name)


def test_the_parts_are_containers_where_an_engine_answers(
    choose: Callable[..., NativeStack],
) -> None:
    assert isinstance(choose(None, answers), ContainerStack)


@pytest.mark.parametrize(("wanted", "engine"), [(None, does_not_answer), ("native", answers)])
def test_the_parts_are_native_without_an_engine_and_where_that_is_wanted(
    choose: Callable[..., NativeStack], wanted: str | None, engine: Callable[[], bool]
) -> None:
    assert not isinstance(choose(wanted, engine), ContainerStack)


def test_docker_wanted_without_an_engine_is_refused(choose: Callable[..., NativeStack]) -> None:
    with pytest.raises(StackError, match="no Docker engine answers"):
        choose("docker", does_not_answer)


@pytest.mark.parametrize("name", ["mysql-users", "redis", "localstack"])
def test_each_part_runs_the_image_and_command_that_compose_runs(layout: Layout, name: str) -> None:
    found = part(layout, name)
    assert found.image == COMPOSE[name]["image"]
    assert list(found.argv) == COMPOSE[name].get("command", [])
    assert found.published == layout.ports.of(name)
    assert COMPOSE[name]["ports"][0].endswith(f":{found.port}")


def test_every_port_is_bound_to_loopback(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testcontainers.core.container.DockerClient", SimpleNamespace)
    for found in ContainerStack(layout).parts():
        bound: dict[str, Any] = {**containers.container_of(found).ports}
        assert bound == {str(found.port): ("127.0.0.1", found.published)}


def test_nothing_is_left_for_compose_to_fill_in(layout: Layout) -> None:
    for found in ContainerStack(layout).parts():
        assert not [value for value in (*found.argv, *found.env.values()) if "${" in value]


def test_queue_urls_carry_the_published_address(layout: Layout) -> None:
    address = f"127.0.0.1:{layout.ports.localstack}"
    assert part(layout, "localstack").env["LOCALSTACK_HOST"] == address


def test_the_account_reaches_each_database_and_those_that_tests_make(layout: Layout) -> None:
    sql = containers.databases_sql(("users_db", "orders_db"))
    for database in ("users_db", "orders_db"):
        assert f"CREATE DATABASE IF NOT EXISTS {database};" in sql
        assert f"GRANT ALL ON {database}.* TO 'shop'@'%';" in sql
    assert r"GRANT ALL ON `scratch\_%`.* TO 'shop'@'%';" in sql
    password = part(layout, "mysql-users").env["MYSQL_PASSWORD"]
    assert f":{password}@" in ContainerStack(layout).database_url("user")


def test_a_killed_part_is_gone_and_comes_back_with_its_data(
    layout: Layout, made: list[FakeContainer]
) -> None:
    stack = ContainerStack(layout)
    first = stack.processes.start(part(layout, "redis"))
    assert stack.running() == {"redis": first}
    stack.kill("redis")
    assert stack.running() == {}
    again = stack.processes.start(part(layout, "redis"))
    assert stack.running() == {"redis": again}
    assert again != first
    assert len(made) == 1


def test_a_paused_part_still_runs_and_can_be_stopped(
    layout: Layout, made: list[FakeContainer]
) -> None:
    stack = ContainerStack(layout)
    stack.processes.start(part(layout, "localstack"))
    stack.pause("localstack")
    assert made[0].status == "paused"
    assert "localstack" in stack.running()
    stack.resume("localstack")
    assert made[0].status == "running"
    stack.pause("localstack")
    stack.terminate("localstack")
    assert stack.running() == {}


def test_a_dead_part_is_left_alone(layout: Layout, made: list[FakeContainer]) -> None:
    processes = Containers(layout)
    processes.start(part(layout, "redis"))
    processes.kill("redis")
    for number in (Signals.SIGSTOP, Signals.SIGCONT, Signals.SIGTERM, Signals.SIGKILL):
        processes.signal("redis", number)
    assert made[0].status == "exited"


def test_a_reset_removes_the_containers(layout: Layout, made: list[FakeContainer]) -> None:
    stack = ContainerStack(layout)
    stack.processes.start(part(layout, "redis"))
    stack.reset()
    assert made[0].status == "removed"
    assert stack.running() == {}


@pytest.mark.usefixtures("made")
def test_the_log_of_a_part_is_what_its_container_wrote(layout: Layout) -> None:
    stack = ContainerStack(layout)
    stack.processes.start(part(layout, "redis"))
    assert stack.log("redis").read_bytes() == b"ready\n"
