"""What is said about a wrong member is plain English, whatever was sent and wherever."""

import re
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core.core_schema import ErrorType

from common_lib.problems import sentence_of
from common_lib.problems.sentences import SENTENCES, SHAPES
from common_lib.text import Shaped
from tests.unit.schemas.walking import Leaf, bodies, leaves_of_bodies

# What only programmers say, and what pydantic begins its own sentences with.
FOREIGN = re.compile(
    r"Input should|String should|should match|pattern|regex|Extra inputs|dictionary|instance"
    r"|\bNone\b|\bstr\b|\bint\b|\bUUID\b|tuple|Value error|pydantic|Python|validat|[\^\\{}]"
)
NASTY: tuple[Any, ...] = (
    None,
    True,
    "",
    "§",
    "x" * 20_000,
    "\u0007",
    "\u200b",
    "\uffff",
    -1,
    0,
    10**30,
    1.5,
    [],
    ["§"],
    [None] * 200,
    {},
    {"§": "§"},
    {"amount": "1", "currency": "rupees", "colour": 1},
    {f"n{n}": "v" for n in range(50)},
)


def findings(model: type[BaseModel], body: object) -> list[dict[str, Any]]:
    try:
        model.model_validate(body)
    except ValidationError as refused:
        return [dict(entry) for entry in refused.errors()]
    return []


def attempts(model: type[BaseModel]) -> list[object]:
    """Return bodies with each nasty value in each member, and bodies that are none."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return [*NASTY, *({name: value} for name in names for value in NASTY)]


@pytest.mark.parametrize("model", bodies(), ids=lambda model: model.__name__)
def test_every_refusal_of_every_body_is_in_plain_words(model: type[BaseModel]) -> None:
    found = [entry for body in attempts(model) for entry in findings(model, body)]
    sentences = {sentence_of(entry) for entry in found}

    assert found
    assert [text for text in sentences if FOREIGN.search(text) or "§" in text] == []


@pytest.mark.parametrize("kind", sorted(set(get_args(ErrorType)) - {"value_error"}))
def test_no_sentence_of_pydantic_gets_out(kind: str) -> None:
    sentence = sentence_of({"type": kind, "msg": "Input should be pydantic's", "ctx": {}})

    assert sentence
    assert not FOREIGN.search(sentence)


def test_every_finding_that_can_occur_has_a_sentence_of_its_own() -> None:
    kinds = {
        entry["type"]
        for model in bodies()
        for body in attempts(model)
        for entry in findings(model, body)
    }
    pydantics = kinds & set(get_args(ErrorType)) - {"value_error", "string_pattern_mismatch"}

    assert pydantics <= set(SENTENCES)


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (
            {"type": "int_parsing", "loc": ("query", "limit")},
            "Send a whole number such as 5",
        ),
        (
            {"type": "bool_parsing", "loc": ("query", "inStock")},
            "Send true or false",
        ),
        (
            {"type": "less_than_equal", "ctx": {"le": "2100-01-01T00:00:00Z"}},
            "Send 2100-01-01T00:00:00Z or earlier",
        ),
        (
            {"type": "greater_than_equal", "ctx": {"ge": "2000-01-01T00:00:00Z"}},
            "Send 2000-01-01T00:00:00Z or later",
        ),
        ({"type": "int_type", "input": 1e30}, "Send a number nearer to zero"),
        (
            {"type": "value_error", "msg": "Value error, validFrom comes before validUntil"},
            "validFrom comes before validUntil",
        ),
        (
            {"type": "string_too_long", "ctx": {"max_length": 1}},
            "Send a text of 1 character or fewer",
        ),
        ({"type": "too_short", "ctx": {"min_length": 2}}, "Send 2 entries or more"),
        ({"type": "less_than_equal", "ctx": {"le": 5}}, "Send 5 or less"),
        ({"type": "enum", "ctx": {"expected": "'A', 'B' or 'C'"}}, "Choose one of A, B or C"),
        ({"type": "value_error", "msg": "Value error, send one"}, "Send one"),
    ],
)
def test_a_sentence_names_what_is_wanted(finding: dict[str, Any], sentence: str) -> None:
    assert sentence_of(finding) == sentence


@pytest.mark.parametrize("leaf", leaves_of_bodies(), ids=lambda leaf: leaf.place)
def test_every_shape_says_what_it_wants(leaf: Leaf) -> None:
    for mark in leaf.marks:
        pattern = getattr(mark, "pattern", None)
        wanted = mark.wanted if isinstance(mark, Shaped) else SHAPES.get(pattern or "", "")
        assert pattern is None or len(wanted.split()) > 3, leaf.place
        assert not FOREIGN.search(wanted)
