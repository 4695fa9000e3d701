"""The two rules of text: what one line takes, what many lines take, and what neither does."""

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from common_lib.problems import RequestModel
from common_lib.text import ManyLines, OneLine, Shaped, Verbatim

LINE: TypeAdapter[str] = TypeAdapter(Annotated[str, OneLine(40)])
LINES: TypeAdapter[str] = TypeAdapter(Annotated[str, ManyLines(40)])


def codes(adapter: TypeAdapter[Any], value: object) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python(value)
    return [entry["type"] for entry in refused.value.errors()]


@pytest.mark.parametrize(
    "text",
    [
        "A\nB",
        "A\tB",
        "A\x07B",
        "A\x1bB",
        "A\x7fB",
        "A\x85B",
        "A\u2028B",
        "A\u202eB",
        "A\u2066B\u2069",
        "A\ufeffB",
        "A\U000e0041",
        "Ad\u200dmin",
        "Ad\u200cmin",
        "A\nB\u0007\u202e",
    ],
)
def test_one_line_takes_nothing_that_controls(text: str) -> None:
    assert codes(LINE, text) == ["control_character"]


@pytest.mark.parametrize("text", ["A\x07B", "A\x0bB", "A\u202eB", "A\u2067B", "A\x85B"])
def test_many_lines_take_no_other_control_than_line_breaks_and_tabs(text: str) -> None:
    assert codes(LINES, text) == ["control_character"]


@pytest.mark.parametrize("adapter", [LINE, LINES])
@pytest.mark.parametrize("text", ["A\uffff", "A\ufdd0", "A\U0010ffff", "A\u0378", "A\ue000"])
def test_codes_without_a_character_are_refused(adapter: TypeAdapter[str], text: str) -> None:
    assert codes(adapter, text) == ["not_a_character"]


@pytest.mark.parametrize("adapter", [LINE, LINES])
@pytest.mark.parametrize("text", ["\u200b", "\u00ad", "\u3164", "\u2800", "\u200b\u2060", "\u0301"])
def test_what_nobody_can_see_is_no_text(adapter: TypeAdapter[str], text: str) -> None:
    assert codes(adapter, text) == ["nothing_visible"]


@pytest.mark.parametrize("adapter", [LINE, LINES])
@pytest.mark.parametrize("text", ["", "   ", "\u3000", "\u00a0\u2003", "\n\n"])
def test_spaces_of_any_kind_are_an_empty_text(adapter: TypeAdapter[str], text: str) -> None:
    assert codes(adapter, text) == ["string_too_short"]


@pytest.mark.parametrize("adapter", [LINE, LINES])
@pytest.mark.parametrize("text", ["A\ufff9B", "\ufffbA", "A\u206aB", "\u206fA"])
def test_codes_kept_for_programs_are_refused(adapter: TypeAdapter[str], text: str) -> None:
    assert codes(adapter, text) == ["control_character"]


@pytest.mark.parametrize("adapter", [LINE, LINES])
@pytest.mark.parametrize(
    "text", ["\u200bRasa", "Rasa\u200b", " \u2060 Rasa\u00ad ", "\u200b \u200b\u3000Rasa"]
)
def test_breaks_nobody_can_see_are_trimmed_like_spaces(
    adapter: TypeAdapter[str], text: str
) -> None:
    assert adapter.validate_python(text) == "Rasa"


def test_half_a_pair_of_surrogates_is_refused() -> None:
    assert codes(LINE, "A\ud800") == ["not_a_character"]


@pytest.mark.parametrize(
    "text",
    [
        "अनിൽ‍കുമാർ",
        "محمد علی‌خان",
        "שלום\u200f!",
        "👩🏽‍🚀",
        "❤️‍🔥",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\U0001fae8",
        "𠮷野家",
        "Straße & Søn",
        "10\u00a0kg",
        "a < b > c & 'd'",
    ],
)
def test_texts_of_the_world_stay_as_they_are(text: str) -> None:
    assert LINE.validate_python(text) == text
    assert LINES.validate_python(text) == text


def test_text_is_trimmed_and_composed() -> None:
    assert LINE.validate_python("\u2003 Zoe\u0308 ") == "Zoë"
    assert LINES.validate_python("\n Zoe\u0308\n\n") == "Zoë"


def test_every_line_break_becomes_one_of_a_kind() -> None:
    assert LINES.validate_python("a\r\nb\rc\u2028d\te") == "a\nb\nc\nd\te"


def test_the_length_is_that_of_what_is_kept() -> None:
    assert LINE.validate_python(" " * 50 + "x" * 40) == "x" * 40
    assert codes(LINE, "x" * 41) == ["string_too_long"]
    # The letter grows by composition, because its composed form is excluded from use.
    assert codes(LINE, "\u0958" * 40) == ["string_too_long"]


class Form(RequestModel):
    title: Annotated[str, OneLine(10)]
    label: Annotated[str, OneLine(10)] | None = None
    reason: Annotated[str, OneLine(10)] = "none"
    remark: Annotated[str, ManyLines(10, min_length=0)] | None = None
    code: Annotated[str, Shaped("^[A-Z]+$", "Use capital letters")] | None = None
    password: Annotated[str, Verbatim("as typed")] | None = None


@pytest.mark.parametrize("nothing", ["", "  ", "\u3000", "\n"])
def test_an_empty_text_for_what_may_be_left_out_counts_as_none(nothing: str) -> None:
    form = Form.model_validate(
        {"title": "A", "label": nothing, "code": nothing, "reason": nothing, "password": ""}
    )

    assert (form.label, form.code, form.reason, form.password) == (None, None, "none", None)


def test_an_empty_text_is_a_value_where_the_rule_takes_it() -> None:
    assert Form.model_validate({"title": "A", "remark": " "}).remark == ""


def test_a_password_of_spaces_is_a_password() -> None:
    assert Form.model_validate({"title": "A", "password": "  "}).password == "  "


def test_an_empty_text_for_what_is_needed_is_refused() -> None:
    with pytest.raises(ValidationError):
        Form.model_validate({"title": " "})
