"""How texts and queries are cut into words, and how a query becomes a statement."""

import pytest

from catalog_service.models.search_text import (
    LONGEST_WORD,
    Term,
    attribute_token,
    decode,
    encode,
    query_terms,
    stem_of,
    text_words,
)
from catalog_service.queries.search import Known
from catalog_service.schemas.search import Filters
from catalog_service.services.search.backend import Query
from catalog_service.services.search.plan import COMMON, plan
from catalog_service.services.search.typos import is_near, patterns


def plain(words: list[str]) -> list[str]:
    return [decode(word) for word in words]


def test_a_text_is_cut_into_folded_words() -> None:
    assert plain(text_words("The Café's 4K TV, (new)!")) == ["the", "cafes", "4k", "tv", "new"]


def test_joined_words_stand_whole_and_in_parts() -> None:
    assert plain(text_words("USB-C 5.5")) == ["usbc", "usb", "c", "55", "5"]


def test_signs_of_a_word_are_kept_at_its_end_and_inside() -> None:
    words = ["c++", "c", "f#", "f", "at&t", "at", "t"]
    assert plain(text_words("C++ F# AT&T")) == words


@pytest.mark.parametrize("query", ["", "+", "( )", "***", "--", "~<>", '""', "_", "%"])
def test_operators_alone_ask_for_nothing(query: str) -> None:
    assert query_terms(query) == ()


def test_a_query_asks_for_each_word_once() -> None:
    assert query_terms("TV tv usb-c") == (Term("tv"), Term("usbc", ("usb", "c")))


@pytest.mark.parametrize("word", ["समोसा", "c++", "naïve", "🚚", "a_b", "日本語"])
def test_an_encoded_word_is_ascii_and_reads_back(word: str) -> None:
    encoded = encode(word)
    assert encoded.isascii()
    assert encoded.replace("_", "").isalnum()
    assert decode(encoded) == word


def test_a_beginning_stays_a_beginning_when_encoded() -> None:
    assert encode("समोसा").startswith(encode("समो"))


def test_a_long_word_is_cut_between_letters() -> None:
    encoded = encode("अ" * 100)
    assert len(encoded) <= LONGEST_WORD
    assert set(decode(encoded)) == {"अ"}


def test_attributes_are_compared_without_case() -> None:
    assert attribute_token("Colour", "Sky Blue") == attribute_token("colour", " sky blue")
    assert attribute_token("a", "b=c") != attribute_token("a", "b")


def query(*words: str, filters: Filters | None = None) -> Query:
    return Query(tuple(Term(word) for word in words), filters or Filters(), "relevance", 20)


def test_rare_words_are_read_in_every_field() -> None:
    planned = plan(query("kettle"), {"kettle": Known(3, 4)})
    assert planned.wanted.expression == "+(n0kettle* d0kettle*)"
    assert planned.is_whole


def test_the_other_forms_of_a_word_are_read_besides() -> None:
    planned = plan(query("batteries"), {"batteries": Known(3, 4, ("battery",))})
    assert planned.wanted.expression == "+(n0batteries* d0batteries* n0battery d0battery)"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("the shirt", ["shirt"]),
        ("A shirt for the men", ["shirt", "men"]),
        ("the the", ["the"]),
        ("to be or not to be", ["to", "be", "or", "not"]),
        ("the", ["the"]),
    ],
)
def test_stop_words_ask_for_something_only_where_nothing_else_does(
    query: str, words: list[str]
) -> None:
    assert [term.whole for term in query_terms(query)] == words


def test_the_last_word_of_what_is_typed_may_be_the_beginning_of_any() -> None:
    assert query_terms("the shirt for the", is_begun=True) == (Term("shirt"), Term("the"))


def test_a_single_letter_belongs_to_the_word_behind_it() -> None:
    assert query_terms("T Shirt") == query_terms("t-shirt") == (Term("tshirt", ("t", "shirt")),)
    assert "tshirt" in text_words("Red T Shirt")
    assert query_terms("a shirt") == (Term("shirt"),)


@pytest.mark.parametrize(
    "forms",
    [
        ("shirt", "shirts"),
        ("battery", "batteries"),
        ("box", "boxes"),
        ("dress", "dresses"),
        ("run", "running", "runs"),
        ("man", "men", "mens"),
        ("woman", "women", "womens"),
        ("child", "children", "childrens"),
        ("knife", "knives"),
        ("shelf", "shelves"),
        ("scarf", "scarves"),
        ("leaf", "leaves"),
        ("foot", "feet"),
        ("mouse", "mice"),
    ],
)
def test_the_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({stem_of(form) for form in forms}) == 1


@pytest.mark.parametrize("word", ["4k", "c_0017_0017", "us", "n0", "2024s"])
def test_what_is_no_english_word_is_its_own_stem(word: str) -> None:
    assert stem_of(word) == word


def test_a_short_word_is_no_beginning() -> None:
    assert plan(query("tv"), {}).wanted.expression == "+(n0tv d0tv)"


def test_common_words_are_looked_for_in_the_rows_of_the_rare_one() -> None:
    planned = plan(query("cotton", "ikat"), {"cotton": Known(9000, 20_000), "ikat": Known(30, 10)})
    assert planned.wanted.expression == "+(n0ikat* d0ikat*)"
    assert any("n0cotton" in str(c.values) for c in planned.wanted.conditions)


def test_a_word_of_very_many_descriptions_counts_in_names_alone() -> None:
    planned = plan(query("cotton"), {"cotton": Known(900, COMMON)})
    assert planned.wanted.expression == "+(n0cotton*)"
    assert not planned.is_whole


def test_a_common_word_that_no_name_has_is_read_in_descriptions() -> None:
    planned = plan(query("within"), {"within": Known(0, 9 * COMMON)})
    assert planned.wanted.expression == "+(n0within* d0within*)"
    assert planned.is_whole


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("samsng", "samsung"),
        ("samsuung", "samsung"),
        ("iphnoe", "iphone"),
        ("smasu", "samsung"),
        ("hone", "phone"),
        ("samsu", "samsung"),
        ("xamsung", "samsung"),
    ],
)
def test_one_typo_is_near(typed: str, word: str) -> None:
    assert is_near(typed, word)


@pytest.mark.parametrize(("typed", "word"), [("smsng", "samsung"), ("phone", "laptop")])
def test_two_typos_are_not(typed: str, word: str) -> None:
    assert not is_near(typed, word)


def test_patterns_hold_no_other_wildcards_than_ours() -> None:
    assert "ca_e%" in patterns("cafe", is_first_letter_right=True)
    assert "_afe%" in patterns("cafe", is_first_letter_right=False)
    assert "_afe%" not in patterns("cafe", is_first_letter_right=True)
