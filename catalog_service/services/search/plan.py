"""How MySQL is asked: which words full text reads, and which are looked for in the rows it gives.

Reading a word's list costs InnoDB 0.3 to 0.9 µs an entry, so the rarest words are read and the
common ones checked in the rows. A word that stands in very many descriptions says little about
any of them: where nothing rarer is asked for, only names (with categories, attributes and SKUs)
count for it, and the total is told as a lower bound. Figures: ADR 0018.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from catalog_service.models.search_text import (
    NAME_FIELD,
    SHORTEST_PREFIX,
    TEXT_FIELD,
    Term,
    fold,
)
from catalog_service.queries.search import Condition, Wanted, conditions
from catalog_service.schemas.search import ATTRIBUTE
from catalog_service.services.search.backend import Query

# A list longer than this is read for names alone.
COMMON: Final = 2_500
# Checking a row costs as much as reading this many entries.
ROW_COST: Final = 6
# Shorter lists are read whatever else is.
_SHORT: Final = 100
_FIELDS: Final = (NAME_FIELD, TEXT_FIELD)
ATTRIBUTE_FIELD: Final = "a0"

Counts = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Plan:
    """`is_whole` is false where descriptions were left out for a word.

    `words` looks for the words alone, `wanted` for words and filters, `walked` for the same without
    full text. `filters` holds each facet's own condition; `size` is how many entries full text
    reads for the rarest word.
    """

    words: Wanted
    wanted: Wanted
    walked: Wanted
    filters: Mapping[str, Condition]
    is_whole: bool
    size: int


def is_prefix(word: str) -> bool:
    return len(word) >= SHORTEST_PREFIX


def plan(query: Query, counts: Counts, *, is_whole: bool = False) -> Plan:
    """Return the statement for a query with at least one term; `is_whole` spares no list."""
    sizes = {term: _size(term, counts) for term in query.terms}
    fields: tuple[str, ...] = _FIELDS
    if min(sizes.values()) > COMMON and not is_whole:
        named = {term: _size(term, counts, names_only=True) for term in query.terms}
        if any(named.values()):
            sizes, fields = {term: size for term, size in named.items() if size}, (NAME_FIELD,)
    rarest = min(sizes, key=lambda term: sizes[term])
    longest = max(ROW_COST * sizes[rarest], _SHORT)
    read = [term for term in sizes if sizes[term] <= longest]
    checked = [term for term in query.terms if term not in read]
    found = [has_term(term, f"t{n}") for n, term in enumerate(checked)]
    words = Wanted(
        " ".join(match(term, fields) for term in read), tuple(found), score_of(query.terms)
    )
    filters = filter_conditions(query)
    read_in_rows = [has_term(term, f"w{n}", fields) for n, term in enumerate(read)]
    return Plan(
        words=words,
        wanted=replace(words, conditions=(*found, *filters.values())),
        walked=replace(words, expression="", conditions=(*read_in_rows, *found, *filters.values())),
        filters=filters,
        is_whole=fields == _FIELDS,
        size=sizes[rarest],
    )


def without_full_text(query: Query) -> Wanted:
    """Return the search with every word looked for in the rows, wherever it stands."""
    found = [has_term(term, f"w{n}") for n, term in enumerate(query.terms)]
    return Wanted("", (*found, *filter_conditions(query).values()), score_of(query.terms))


def filter_conditions(query: Query) -> dict[str, Condition]:
    """Return the condition of each filter that is set, by its facet."""
    found = dict(conditions(query.filters, query.branch))
    for n, (name, options) in enumerate(query.filters.values_by_attribute().items()):
        found[f"{ATTRIBUTE}{name}"] = _has_attribute(f"a{n}_", name, options)
    return found


def match(term: Term, fields: tuple[str, ...] = _FIELDS) -> str:
    """Return the boolean expression that requires a term in one of the fields."""
    choices = [_token(field, term.whole) for field in fields]
    if term.parts:
        parts = " ".join(
            f"+({' '.join(_token(field, part) for field in fields)})" for part in term.parts
        )
        choices.append(f"({parts})")
    return f"+({' '.join(choices)})"


def has_term(term: Term, name: str, fields: tuple[str, ...] = _FIELDS) -> Condition:
    """Return the condition that a row holds a term; `name` keeps its values apart."""
    whole, values = _has_word(term.whole, f"{name}_", fields)
    if not term.parts:
        return Condition(whole, values)
    parts = []
    for n, part in enumerate(term.parts):
        sql, more = _has_word(part, f"{name}_{n}_", fields)
        parts.append(sql)
        values |= more
    return Condition(f"({whole} OR ({' AND '.join(parts)}))", values)


def _has_attribute(key: str, name: str, options: Sequence[str]) -> Condition:
    """Return the condition that a row has one of the values."""
    values = {f"{key}{n}": f" {attribute_token(name, each)} " for n, each in enumerate(options)}
    tests = " OR ".join(f"INSTR(words, %({each})s) > 0" for each in values)
    return Condition(f"({tests})", values)


def name_of_common(query: Query, planned: Plan) -> Condition | None:
    """Return that a name has the word, where one word that very many names have is all there is."""
    if planned.is_whole or planned.filters or len(query.terms) != 1 or query.terms[0].parts:
        return None
    word = query.terms[0].whole
    ending = "" if is_prefix(word) else " "
    return Condition("INSTR(names, %(named)s) > 0", {"named": f" {word}{ending}"})


def attribute_token(name: str, value: str) -> str:
    """Return the token of an attribute with its value, whatever characters they hold."""
    text = f"{fold(name).strip()}={fold(value).strip()}"
    return ATTRIBUTE_FIELD + hashlib.sha256(text.encode()).hexdigest()[:20]


def score_of(terms: tuple[Term, ...]) -> Condition:
    """Return how well a row fits, term by term.

    4 for a word of the name, 3 for one that begins so, 2 for a category, an attribute or a SKU, 1
    for the description. It depends on the row alone, so that a page's end means the same when
    products were added since.
    """
    parts: list[str] = []
    values: dict[str, str] = {}
    for n, term in enumerate(terms):
        tests = [
            ("names", "{} ", 4),
            ("names", "{}", 3),
            ("words", NAME_FIELD + "{}", 2),
        ]
        cases = []
        for level, (column, pattern, points) in enumerate(tests):
            name = f"s{n}_{level}_"
            options = [" AND ".join(_contains(column, name + "w", [term.whole], pattern, values))]
            if term.parts:
                found = _contains(column, name + "p", term.parts, pattern, values)
                options.append(f"({' AND '.join(found)})")
            cases.append(f"WHEN {' OR '.join(options)} THEN {points}")
        parts.append(f"CASE {' '.join(cases)} ELSE 1 END")
    return Condition(" + ".join(parts) or "0", values)


def _contains(
    column: str, name: str, words: tuple[str, ...] | list[str], pattern: str, values: dict[str, str]
) -> list[str]:
    found = []
    for n, word in enumerate(words):
        ending = "" if is_prefix(word) or pattern.endswith(" ") else " "
        values[f"{name}{n}"] = f" {pattern.format(word)}{ending}"
        found.append(f"INSTR({column}, %({name}{n})s) > 0")
    return found


def _has_word(word: str, name: str, fields: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    ending = "" if is_prefix(word) else " "
    values = {f"{name}{field}": f" {field}{word}{ending}" for field in fields}
    found = " OR ".join(f"INSTR(words, %({key})s) > 0" for key in values)
    return f"({found})", values


def _token(field: str, word: str) -> str:
    return f"{field}{word}{'*' if is_prefix(word) else ''}"


def _size(term: Term, counts: Counts, *, names_only: bool = False) -> int:
    """Return how many entries full text reads for a term; a word that is not known costs one."""
    return sum(_of_word(word, counts, names_only=names_only) for word in term.words)


def _of_word(word: str, counts: Counts, *, names_only: bool) -> int:
    names, texts = counts.get(word, (0, 0))
    return names if names_only else names + texts
