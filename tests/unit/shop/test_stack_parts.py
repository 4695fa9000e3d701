import stat
from pathlib import Path

import pytest

from shop.stack import checks, debian, mysql
from shop.stack.credentials import load_or_create
from shop.stack.environment import decides_about_processes, process_environment, wiring
from shop.stack.errors import StackError
from shop.stack.layout import PROCESS_NAMES, SERVICES, Layout
from shop.stack.ports import Ports


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(home=tmp_path / "home", downloads=tmp_path / "downloads", ports=Ports())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            "mysqld  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)",
            ("mysql", "8.4.3"),
        ),
        (
            "/x/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))",
            ("mysql", "9.7.4"),
        ),
        (
            "mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)",
            ("mariadb", "10.11.19"),
        ),
        ("command not found", None),
    ],
)
def test_a_server_is_known_by_what_it_says_of_itself(
    answer: str, expected: tuple[str, str] | None
) -> None:
    assert mysql.parse_version(answer) == expected


@pytest.mark.parametrize(("version", "fits"), [("8.0.46", False), ("8.4.0", True), ("9.7.4", True)])
def test_mysql_before_8_4_is_passed_over(version: str, *, fits: bool) -> None:
    assert mysql.is_new_enough(version) is fits


def test_the_secrets_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    first, second = load_or_create(tmp_path / "keys"), load_or_create(tmp_path / "keys")
    assert first == second
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    signing = ("jwt.pem", "jwt.next.pem", "service.pem", "service.next.pem")
    made = (*signing, "field.key", "secrets.json")
    assert modes == dict.fromkeys(made, 0o600)


def test_two_stacks_share_no_secret(tmp_path: Path) -> None:
    assert load_or_create(tmp_path / "a") != load_or_create(tmp_path / "b")


def test_each_service_gets_its_own_database_and_port(layout: Layout) -> None:
    secrets = load_or_create(layout.keys)
    urls = {name: wiring(layout, secrets, name)["SHOP_DATABASE_URL"] for name in SERVICES}
    endings = {name: url.rpartition("@")[2] for name, url in urls.items()}
    assert endings == {
        "user": "127.0.0.1:3306/users_db",
        "catalog": "127.0.0.1:3307/catalog_db",
        "order": "127.0.0.1:3308/orders_db",
        "notification": "127.0.0.1:3309/notifications_db",
    }


def test_only_the_user_service_holds_the_key_that_signs_tokens(layout: Layout) -> None:
    secrets = load_or_create(layout.keys)
    holders = {
        name
        for name in PROCESS_NAMES
        if "SHOP_JWT_PRIVATE_KEY_FILE" in wiring(layout, secrets, name)
    }
    assert holders == {"user", "user-worker"}


def test_gateway_and_sandbox_are_given_no_database(layout: Layout) -> None:
    secrets = load_or_create(layout.keys)
    for name in ("gateway", "payment-sandbox"):
        assert "SHOP_DATABASE_URL" not in wiring(layout, secrets, name)


def test_the_callers_settings_win_over_defaults_but_not_over_the_wiring(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("SHOP_PORT", "1")
    env = process_environment(layout, load_or_create(layout.keys), "order", {"SHOP_X": "y"})
    assert (env["SHOP_LOG_LEVEL"], env["SHOP_PORT"], env["SHOP_X"]) == ("DEBUG", "8083", "y")


def test_a_full_disk_is_refused_with_what_is_needed(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "free_bytes", lambda _folder: checks.GIB)
    monkeypatch.setattr(checks, "needed_bytes", lambda _layout: 2 * checks.GIB)
    with pytest.raises(StackError, match=r"only 1\.0 GB are free at .*, 2\.0 GB are needed"):
        checks.refuse_small_disk(layout)


def test_an_unpacked_program_runs_through_the_loader_beside_it(tmp_path: Path) -> None:
    loader = tmp_path / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.touch()
    command = debian.Tree(tmp_path, machine="x86_64").command("usr/sbin/mysqld")
    assert command[0] == str(loader)
    assert command[-1] == str(tmp_path / "usr/sbin/mysqld")


def test_every_stack_error_is_one_line_with_cause_and_fix() -> None:
    error = StackError("port 1 is taken", "choose another")
    assert str(error) == "port 1 is taken. Fix: choose another"


@pytest.mark.parametrize(
    ("variable", "decides"),
    [
        ("SHOP_RATE_LIMIT_PER_MINUTE", True),
        ("SHOP_PORT", True),
        ("SHOP_PORT_OFFSET", False),
        ("SHOP_REDIS_PORT", False),
        ("PATH", False),
    ],
)
def test_only_settings_of_a_process_make_it_restart(variable: str, *, decides: bool) -> None:
    assert decides_about_processes(variable) is decides
