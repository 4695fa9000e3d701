"""Every text that anybody may send follows one of two rules, has a shape, or says why not."""

import pytest

from common_lib.text import ManyLines, OneLine, Shaped, Verbatim
from tests.unit.schemas.walking import Leaf, bodies, leaves_of_bodies

RULES = (OneLine, ManyLines, Shaped, Verbatim)
TEXTS = [leaf for leaf in leaves_of_bodies() if leaf.kind is str]


def test_the_walk_finds_the_bodies_of_the_services() -> None:
    names = {model.__name__ for model in bodies()}

    assert {"ProductIn", "ReviewIn", "PlaceOrder", "NewCoupon", "RegisterRequest"} <= names


@pytest.mark.parametrize("leaf", TEXTS, ids=lambda leaf: leaf.place)
def test_every_text_follows_a_rule_or_says_why_not(leaf: Leaf) -> None:
    assert any(isinstance(mark, RULES) for mark in leaf.marks), (
        f"{leaf.place} takes any text: give it OneLine, ManyLines or Shaped, or Verbatim with a why"
    )


@pytest.mark.parametrize(
    "place",
    [
        "CategoryIn.name",
        "ProductIn.name",
        "ProductCells.name",
        "VariantIn.name",
        "VariantIn.attributes",
        "AttachIn.alt_text",
        "ReviewIn.title",
        "StoreIn.store_name",
        "AdjustIn.reason",
        "RegisterRequest.full_name",
    ],
)
def test_names_titles_and_labels_are_one_line(place: str) -> None:
    found = [leaf.marks for leaf in TEXTS if leaf.place == place]

    assert found
    assert all(any(isinstance(mark, OneLine) for mark in marks) for marks in found)


@pytest.mark.parametrize(
    "place",
    [
        "ProductIn.description",
        "ReviewIn.body",
        "VerdictIn.note",
        "StoreIn.description",
        "PlaceOrder.notes",
        "CancelOrder.reason",
        "RefundPayment.reason",
        "StatusPatch.note",
        "NewCoupon.description",
    ],
)
def test_what_people_tell_may_have_many_lines(place: str) -> None:
    found = [leaf.marks for leaf in TEXTS if leaf.place == place]

    assert found
    assert all(any(isinstance(mark, ManyLines) for mark in marks) for marks in found)
