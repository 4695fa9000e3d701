"""How MySQL is asked: which words full text reads, and which are looked for in the rows it gives.

Reading a word's list costs InnoDB 0.3 to 0.9 µs an entry, so the rarest words are read and the
common ones checked in the rows. A word that stands in very many descriptions says little about
any of them: where nothing rarer is asked for, only names (with categories, attributes and SKUs)
count for it, and the total is told as a lower bound. Figures: ADR 0018.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from catalog_service.models.search_text import (
    NAME_FIELD,
    SHORTEST_PREFIX,
    TEXT_FIELD,
    Term,
)
from catalog_service.queries.search import Known, Wanted
from catalog_service.queries.search_conditions import (
    Condition,
    VariantConditions,
    product_conditions,
)
from catalog_service.services.search.backend import Query
from catalog_service.services.search.variants import conditions_of

# A list longer than this is read for names alone.
COMMON: Final = 2_500
# Checking a row costs as much as reading this many entries.
ROW_COST: Final = 6
# Shorter lists are read whatever else is.
_SHORT: Final = 100
_FIELDS: Final = (NAME_FIELD, TEXT_FIELD)
# Where a word may stand, as what, and what that is worth.
_LEVELS: Final = (("names", "{} ", 4), ("names", "{}", 3), ("words", NAME_FIELD + "{}", 2))

Counts = Mapping[str, Known]
_UNKNOWN: Final = Known()


@dataclass(frozen=True, slots=True)
class Plan:
    """`is_whole` is false where descriptions were left out for a word.

    `words` looks for the words alone, `wanted` for words and filters, `walked` for the same without
    full text. `products` holds the filters about products by their facet, `variants` those about
    one variant; `size` is how many entries full text reads for the rarest word.
    """

    words: Wanted
    wanted: Wanted
    walked: Wanted
    products: Mapping[str, Condition]
    variants: VariantConditions
    is_whole: bool
    size: int

    def has_filters(self) -> bool:
        return bool(self.products or self.variants.facets)


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
    found = [has_term(term, f"t{n}", counts) for n, term in enumerate(checked)]
    expression = " ".join(match(term, counts, fields) for term in read)
    words = Wanted(expression, tuple(found), score_of(query.terms, counts))
    filters = tuple(filter_conditions(query))
    in_rows = [has_term(term, f"w{n}", counts, fields) for n, term in enumerate(read)]
    return Plan(
        words=words,
        wanted=replace(words, conditions=(*found, *filters)),
        walked=replace(words, expression="", conditions=(*in_rows, *found, *filters)),
        products=dict(product_conditions(query.filters, query.branch)),
        variants=conditions_of(query.filters),
        is_whole=fields == _FIELDS,
        size=sizes[rarest],
    )


def without_full_text(query: Query, counts: Counts) -> Wanted:
    """Return the search with every word looked for in the rows, wherever it stands."""
    found = [has_term(term, f"w{n}", counts) for n, term in enumerate(query.terms)]
    return Wanted("", (*found, *filter_conditions(query)), score_of(query.terms, counts))


def filter_conditions(query: Query) -> Iterator[Condition]:
    """Yield the conditions of all the filters that are set."""
    yield from dict(product_conditions(query.filters, query.branch)).values()
    of_variant = conditions_of(query.filters).condition()
    if of_variant is not None:
        yield of_variant


def match(term: Term, counts: Counts, fields: tuple[str, ...] = _FIELDS) -> str:
    """Return the boolean expression that requires a term in one of the fields."""
    choices = _tokens(term.whole, counts, fields)
    if term.parts:
        parts = (f"+({' '.join(_tokens(part, counts, fields))})" for part in term.parts)
        choices.append(f"({' '.join(parts)})")
    return f"+({' '.join(choices)})"


def has_term(term: Term, name: str, counts: Counts, fields: tuple[str, ...] = _FIELDS) -> Condition:
    """Return the condition that a row holds a term; `name` keeps its values apart."""
    whole, values = _has_word(term.whole, f"{name}_", counts, fields)
    if not term.parts:
        return Condition(whole, values)
    parts = []
    for n, part in enumerate(term.parts):
        sql, more = _has_word(part, f"{name}_{n}_", counts, fields)
        parts.append(sql)
        values |= more
    return Condition(f"({whole} OR ({' AND '.join(parts)}))", values)


def name_of_common(query: Query, planned: Plan, counts: Counts) -> Condition | None:
    """Return that a name has the word, where one word that very many names have is all there is."""
    if planned.is_whole or planned.has_filters() or len(query.terms) != 1 or query.terms[0].parts:
        return None
    values: dict[str, str] = {}
    found = _contains("names", "named", query.terms[0].whole, counts, "{}", values)
    return Condition(f"({found})", values)


def score_of(terms: tuple[Term, ...], counts: Counts) -> Condition:
    """Return how well a row fits, term by term.

    4 for a word of the name, 3 for one that begins so or is another form of it, 2 for a category,
    an attribute or a SKU, 1 for the description. It depends on the row alone, so that a page's end
    means the same when products were added since.
    """
    parts: list[str] = []
    values: dict[str, str] = {}
    for n, term in enumerate(terms):
        cases = []
        for level, (column, pattern, points) in enumerate(_LEVELS):
            name = f"s{n}_{level}_"
            found = _contains(column, name + "w", term.whole, counts, pattern, values)
            if term.parts:
                of_parts = (
                    f"({_contains(column, f'{name}p{m}', part, counts, pattern, values)})"
                    for m, part in enumerate(term.parts)
                )
                found = f"{found} OR ({' AND '.join(of_parts)})"
            cases.append(f"WHEN {found} THEN {points}")
        parts.append(f"CASE {' '.join(cases)} ELSE 1 END")
    return Condition(" + ".join(parts) or "0", values)


def _contains(  # noqa: PLR0917 - a word, where it is looked for, and where its values go
    column: str, name: str, word: str, counts: Counts, pattern: str, values: dict[str, str]
) -> str:
    """Return that a column holds a word as `pattern` says: whole where it ends in a space."""
    ending = "" if is_prefix(word) or pattern.endswith(" ") else " "
    wanted = [f" {pattern.format(word)}{ending}"]
    if not pattern.endswith(" "):
        wanted += [f" {pattern.format(form)} " for form in counts.get(word, _UNKNOWN).forms]
    found = []
    for n, text in enumerate(wanted):
        values[f"{name}_{n}"] = text
        found.append(f"INSTR({column}, %({name}_{n})s) > 0")
    return " OR ".join(found)


def _has_word(
    word: str, name: str, counts: Counts, fields: tuple[str, ...]
) -> tuple[str, dict[str, str]]:
    values: dict[str, str] = {}
    found = [
        _contains("words", f"{name}{field}", word, counts, f"{field}{{}}", values)
        for field in fields
    ]
    return f"({' OR '.join(found)})", values


def _tokens(word: str, counts: Counts, fields: Sequence[str]) -> list[str]:
    """Return what full text looks for: the word or its beginnings, and its other forms."""
    ending = "*" if is_prefix(word) else ""
    forms = counts.get(word, _UNKNOWN).forms
    return [
        *(f"{field}{word}{ending}" for field in fields),
        *(f"{field}{form}" for form in forms for field in fields),
    ]


def _size(term: Term, counts: Counts, *, names_only: bool = False) -> int:
    """Return how many entries full text reads for a term; a word that is not known costs one."""
    return sum(_of_word(word, counts, names_only=names_only) for word in term.words)


def _of_word(word: str, counts: Counts, *, names_only: bool) -> int:
    known = counts.get(word, _UNKNOWN)
    return known.names if names_only else known.names + known.texts
