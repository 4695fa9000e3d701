"""What people typed goes into mails as words: never as a link, never to who did not confirm."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from common_lib.events import Event
from notification_service.services.mails import compose
from notification_service.services.mails.layout import House
from notification_service.services.mails.links import without_links
from tests.unit.notification_service import events
from tests.unit.notification_service.test_mails import BEFORE_CONFIRMED, SUBJECTS, TO_PEOPLE, Tags

HOUSE = House("The Shop", "http://localhost:8080", "ops@ecommerce.com")
HOME = HOUSE.storefront_url
BAIT = "Win at evil.example or https://evil.example/x, www.evil.example, mail a@evil.example"
TYPED = ("full_name", "product_name", "store_name", "note", "reason", "carrier", "tracking_number")
# What mail programs take for a link, without asking which domains there are.
LOOKS_LIKE_A_LINK = re.compile(
    r"\w+://[^\s<>]+|www\.[^\s<>]+|[\w.+-]+@[\w.-]+|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b",
    re.IGNORECASE,
)


def baited(event: Event) -> Event:
    """Return the event with bait in everything that somebody typed."""
    fields = type(event).model_fields
    update: dict[str, Any] = {name: BAIT for name in TYPED if name in fields}
    if "lines" in fields:
        line = events.line(BAIT).model_copy(update={"sku": "evil.example"})
        update["lines"] = (line,)
    if "sku" in fields:
        update |= {"name": BAIT, "sku": "evil.example"}
    return event.model_copy(update=update)


@pytest.mark.parametrize("kind", [kind for kind, _, _ in SUBJECTS])
def test_nothing_that_somebody_typed_becomes_a_link(kind: Callable[..., Event]) -> None:
    notice = compose(baited(kind()), HOUSE)

    assert notice is not None
    mail = notice.mail
    for text in (Tags(mail.html).text, mail.text, mail.subject):
        assert [found for found in LOOKS_LIKE_A_LINK.findall(text) if "evil" in found] == []
    assert 'href="https://evil' not in mail.html


@pytest.mark.parametrize("kind", BEFORE_CONFIRMED)
def test_mails_before_an_address_is_confirmed_say_nothing_that_was_typed(
    kind: Callable[..., Event],
) -> None:
    notice = compose(kind(full_name="Visit us and win"), HOUSE)

    assert notice is not None
    assert "Visit us" not in notice.mail.html + notice.mail.text + notice.mail.subject
    assert "ear customer" in notice.mail.text


@pytest.mark.parametrize("kind", TO_PEOPLE)
def test_whoever_has_no_name_yet_is_greeted_all_the_same(kind: Callable[..., Event]) -> None:
    notice = compose(kind(full_name=""), HOUSE)

    assert notice is not None
    assert "ear customer" in Tags(notice.mail.html).text
    assert not re.search(r"(^|>)\s*,|\s[,!.](\s|$)", notice.mail.text)


def test_the_reason_of_a_cancellation_goes_to_confirmed_addresses_only() -> None:
    told = compose(events.order_cancelled(reason="Visit us and win"), HOUSE)
    untold = compose(events.order_cancelled(reason="Visit us and win", full_name=""), HOUSE)

    assert told is not None
    assert untold is not None
    assert "Visit us" in told.mail.text
    assert "Visit us" not in untold.mail.text + untold.mail.html


@pytest.mark.parametrize(
    "text",
    [
        HOME,
        f"{HOME}/",
        f"{HOME}/verify-email#token=a.b-c",
        "asha@example.com",
        "₹1,49,900.00",
        "Kettle 1.5 L",
        "30 November 2026, 10:00 UTC",
        "Thank you. See you soon",
    ],
)
def test_our_own_links_and_plain_words_stay_as_they_are(text: str) -> None:
    assert without_links(text, home=HOME, known=("asha@example.com",)) == text


@pytest.mark.parametrize(
    "text",
    [
        f"{HOME}.evil.example/",
        f"{HOME}@evil.example/",
        f"{HOME}/ https://evil.example/",
        "HTTPS://evil.example",
        "evil。example",
        "evil.4you.example",
        "mail asha@example.com",
    ],
)
def test_what_only_begins_like_ours_is_taken_apart(text: str) -> None:
    shown = without_links({"a": [text]}, home=HOME, known=("asha@example.com",))["a"][0]

    assert shown != text
    assert shown.replace("\u200c", "") == text
    assert not re.search(r"\w[.。@][a-z]|\w://", shown, re.IGNORECASE)
