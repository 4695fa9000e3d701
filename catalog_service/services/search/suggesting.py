"""Suggestions from MySQL: the words of names in the dictionary, then products called so."""

from collections.abc import Sequence
from typing import Final

from catalog_service.models.search_text import NAME_FIELD, Term, decode
from catalog_service.queries import suggest as queries
from catalog_service.queries.suggest import KnownWord, NamedProduct
from catalog_service.schemas.search import Suggestion
from catalog_service.services.search import typos
from common_lib.database import AnySession

_MOST_WORDS: Final = 3
_COMPARED_WORDS: Final = 8
# Above so many products a walk along the best sold is shorter than full text.
_COMMON: Final = 800


async def suggest(
    session: AnySession, terms: Sequence[Term], *, limit: int
) -> Sequence[Suggestion]:
    """Return completions of the last word, one typo in each word forgiven."""
    words = [word for term in terms for word in term.words]
    before = [await _nearest(session, word) for word in words[:-1]]
    last = await _completed(session, words[-1])
    if not last or not all(before):
        return []
    products = await _products(session, before, last, limit)
    texts = [] if before else [Suggestion(text=decode(one.word)) for one in last[:_MOST_WORDS]]
    return together(texts, products, limit)


def together(
    texts: Sequence[Suggestion], products: Sequence[NamedProduct], limit: int
) -> list[Suggestion]:
    """Return words first, then products, each text once."""
    found = {one.text.casefold(): one for one in texts}
    for product in products:
        found.setdefault(
            product.name.casefold(),
            Suggestion(
                text=product.name,
                product_id=product.product_id,
                slug=product.slug,
                category_id=product.category_id,
            ),
        )
    return list(found.values())[:limit]


async def _nearest(session: AnySession, word: str) -> list[KnownWord]:
    """Return the word itself with its other forms, else the commonest one typo away."""
    found = await queries.completions(session, word, limit=_COMPARED_WORDS)
    same = [one for one in found if one.word == word]
    forms = await queries.forms_of(session, word, limit=_COMPARED_WORDS)
    return _each_once(same, forms) or (found or await _corrected(session, word))[:1]


async def _completed(session: AnySession, word: str) -> list[KnownWord]:
    found = await queries.completions(session, word, limit=_COMPARED_WORDS)
    forms = await queries.forms_of(session, word, limit=_COMPARED_WORDS)
    return _each_once(found, forms) or await _corrected(session, word)


def _each_once(*lists: Sequence[KnownWord]) -> list[KnownWord]:
    return list({one.word: one for found in lists for one in found}.values())


async def _corrected(session: AnySession, word: str) -> list[KnownWord]:
    """Return the words one typo away; the first letter is taken to be right if it can be."""
    if not typos.can_be_mistyped(word):
        return []
    patterns = typos.patterns(word, is_first_letter_right=True)
    near = await queries.like_words(session, patterns, word[0], limit=_COMPARED_WORDS)
    if near:
        return near
    patterns = typos.patterns(word, is_first_letter_right=False)
    return await queries.like_words(session, patterns, None, limit=_COMPARED_WORDS)


async def _products(
    session: AnySession,
    before: Sequence[Sequence[KnownWord]],
    last: Sequence[KnownWord],
    limit: int,
) -> list[NamedProduct]:
    """Return products of all the words before and any of the last; the cheaper way of two."""
    if before or sum(one.name_count for one in last) <= _COMMON:
        expression = " ".join(map(_any_of, (*before, last)))
        return await queries.products_matching(session, expression, limit=limit)
    return await queries.products_holding(session, f"{NAME_FIELD}{last[0].word} ", limit=limit)


def _any_of(words: Sequence[KnownWord]) -> str:
    return f"+({' '.join(f'{NAME_FIELD}{one.word}' for one in words)})"
