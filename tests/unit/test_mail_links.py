"""What is mailed leads somewhere: to a page of the storefront, for every kind of mail."""

import inspect
import re
from collections.abc import Callable
from typing import get_type_hints
from urllib.parse import urlsplit

import pytest

from common_lib.events import Event
from gateway.storefront import Asked, Storefront
from notification_service.services.mails import KINDS, House, compose
from tests.unit.notification_service import events

SHOP = "https://shop.example"
HOUSE = House("The Shop", SHOP, "ops@ecommerce.com")
LINK = re.compile(r"https?://[^\s\"'<>)]+")


def _makers() -> dict[type[Event], Callable[[], Event]]:
    """Return for each event the function of `events` that makes one."""
    functions = inspect.getmembers(events, inspect.isfunction)
    made = {get_type_hints(function).get("return"): function for _, function in functions}
    return {kind: made[kind] for kind in KINDS if kind in made}


@pytest.fixture(scope="module")
def storefront() -> Storefront:
    return Storefront()


def test_each_kind_of_mail_is_tried_here() -> None:
    assert set(_makers()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_link_of_a_mail_opens_a_page(kind: type[Event], storefront: Storefront) -> None:
    notice = compose(_makers()[kind](), HOUSE)
    assert notice is not None
    links = set(LINK.findall(notice.mail.html)) | set(LINK.findall(notice.mail.text))

    assert links, "a mail says at least where the shop is"
    assert all(link.startswith(SHOP) for link in links)
    for link in links:
        path = urlsplit(link).path or "/"
        page = storefront.answer(Asked("GET", path.encode()))
        assert page is not None, link
        assert page.status == 200, link
