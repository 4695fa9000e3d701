import pytest

from shop.stack import ports
from shop.stack.errors import StackError
from shop.stack.ports import Ports


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
