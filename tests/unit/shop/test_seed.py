"""Where seeding goes, and where it refuses to."""

import pytest

from common_lib.settings import Profile
from shop.seed import Databases, run, seed
from shop.stack.errors import StackError

NOWHERE = Databases(user="unused", catalog="unused", order="unused")


async def test_production_takes_no_seeds() -> None:
    with pytest.raises(StackError, match="production"):
        await seed(NOWHERE, profile=Profile.PRODUCTION)


def test_the_command_refuses_production_before_it_looks_for_a_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_PROFILE", "production")

    with pytest.raises(StackError, match="published password"):
        run()


def test_an_unknown_profile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PROFILE", "staging")

    with pytest.raises(StackError, match="staging"):
        run()


def test_without_urls_the_environment_names_no_databases() -> None:
    assert Databases.from_environment({}) is None


def test_all_three_urls_of_the_environment_are_used() -> None:
    environment = {
        "SHOP_USER_DATABASE_URL": "mysql+asyncmy://a/users_db",
        "SHOP_CATALOG_DATABASE_URL": "mysql+asyncmy://b/catalog_db",
        "SHOP_ORDER_DATABASE_URL": "mysql+asyncmy://c/orders_db",
    }

    databases = Databases.from_environment(environment)

    assert databases == Databases(*environment.values())


def test_a_missing_url_beside_others_is_named() -> None:
    with pytest.raises(StackError, match="SHOP_CATALOG_DATABASE_URL is not set"):
        Databases.from_environment({"SHOP_USER_DATABASE_URL": "mysql+asyncmy://a/users_db"})
