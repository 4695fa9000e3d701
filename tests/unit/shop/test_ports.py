from pathlib import Path

import pytest

from shop.stack import ports
from shop.stack.errors import StackError
from shop.stack.ports import Outgoing, Ports


def test_without_settings_the_ports_are_those_of_the_readme() -> None:
    chosen = Ports.from_environment({})
    assert (chosen.gateway, chosen.user, chosen.mysql_users, chosen.redis) == (
        8080,
        8081,
        3306,
        6379,
    )


def test_an_offset_moves_every_port() -> None:
    moved = Ports.from_environment({"SHOP_PORT_OFFSET": "10000"})
    assert [port for _, port in moved.items()] == [port + 10_000 for _, port in Ports().items()]


def test_a_port_of_its_own_wins_over_the_offset() -> None:
    moved = Ports.from_environment({"SHOP_PORT_OFFSET": "10000", "SHOP_REDIS_PORT": "7000"})
    assert (moved.redis, moved.gateway) == (7000, 18080)


def test_later_commands_use_the_ports_of_the_stack_that_is_up() -> None:
    up = Ports(gateway=9000)
    assert Ports.from_environment({}, up).gateway == 9000


def test_settings_win_over_what_is_remembered() -> None:
    up = Ports(gateway=9000, redis=9001)
    chosen = Ports.from_environment({"SHOP_GATEWAY_PORT": "9100"}, up)
    assert (chosen.gateway, chosen.redis) == (9100, 9001)


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "80.5", " 80"])
def test_a_wrong_port_is_refused_naming_its_variable(text: str) -> None:
    with pytest.raises(StackError) as refusal:
        Ports.from_environment({"SHOP_REDIS_PORT": text})
    assert "SHOP_REDIS_PORT" in refusal.value.cause
    assert repr(text) in refusal.value.cause


@pytest.mark.parametrize("text", ["abc", "-1", "70000"])
def test_a_wrong_offset_is_refused(text: str) -> None:
    with pytest.raises(StackError, match="SHOP_PORT_OFFSET"):
        Ports.from_environment({"SHOP_PORT_OFFSET": text})


def test_one_port_for_two_parts_is_refused_naming_both_variables() -> None:
    with pytest.raises(StackError, match="SHOP_USER_PORT and SHOP_REDIS_PORT are both 8081"):
        Ports.from_environment({"SHOP_REDIS_PORT": "8081"})


def test_names_with_a_hyphen_find_their_port() -> None:
    assert Ports().of("payment-sandbox") == 8085
    assert ports.port_variable("payment-sandbox") == "SHOP_PAYMENT_SANDBOX_PORT"


def kernel(folder: Path, *, taken: str = "32768\t60999\n", reserved: str = "\n") -> Path:
    """Settings as the kernel shows them."""
    (folder / "ip_local_port_range").write_text(taken)
    (folder / "ip_local_reserved_ports").write_text(reserved)
    return folder


@pytest.mark.parametrize(
    ("offset", "risky"), [("0", False), ("10000", False), ("23000", False), ("30000", True)]
)
def test_an_offset_into_the_ports_of_outgoing_connections_is_warned_of(
    tmp_path: Path, offset: str, *, risky: bool
) -> None:
    wanted = dict(Ports.from_environment({"SHOP_PORT_OFFSET": offset}).items())

    warning = Outgoing.of_this_machine(kernel(tmp_path)).warning(wanted)

    assert (warning is not None) is risky
    if warning is not None:
        assert "from 32768 to 60999" in warning.cause
        assert "gateway 38080" in warning.cause
        assert "SHOP_PORT_OFFSET" in warning.fix


def test_one_port_among_them_is_warned_of_by_its_name(tmp_path: Path) -> None:
    wanted = dict(Ports.from_environment({"SHOP_REDIS_PORT": "60999"}).items())

    warning = Outgoing.of_this_machine(kernel(tmp_path)).warning(wanted)

    assert warning is not None
    assert warning.cause.endswith("one of ours: redis 60999")


@pytest.mark.parametrize(
    ("taken", "reserved", "risky"),
    [
        ("1024\t65535\n", "\n", True),
        ("1024\t65535\n", "3306-9100\n", False),
        ("1024\t65535\n", "22,3306-3309,4566,6379,8080-8090,8443,8480,9080-9084\n", False),
        ("nonsense", "nonsense", False),
    ],
)
def test_the_kernels_own_settings_decide(
    tmp_path: Path, taken: str, reserved: str, *, risky: bool
) -> None:
    outgoing = Outgoing.of_this_machine(kernel(tmp_path, taken=taken, reserved=reserved))

    assert (outgoing.warning(dict(Ports().items())) is not None) is risky


def test_a_machine_without_these_settings_is_taken_for_a_usual_one(tmp_path: Path) -> None:
    outgoing = Outgoing.of_this_machine(tmp_path / "nothing")

    assert outgoing.includes(32_768)
    assert not outgoing.includes(32_767)


def test_an_offset_beyond_the_last_port_is_refused_by_its_own_name() -> None:
    with pytest.raises(StackError) as refusal:
        Ports.from_environment({"SHOP_PORT_OFFSET": "60000"})

    assert refusal.value.cause == (
        "SHOP_PORT_OFFSET=60000 moves gateway to port 68080, and 65535 is the last"
    )


def test_a_port_for_root_alone_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    refusal = ports.port_taken("edge", 443)

    assert refusal.cause == "port 443 for edge may be opened by root alone"
    assert "SHOP_EDGE_PORT=8443" in refusal.fix
