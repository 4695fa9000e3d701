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
    products = await _products(session, [found[0] for found in before], last, limit)
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
    """Return the word itself where names know it, else the commonest one typo away."""
    exact = await queries.completions(session, word, limit=_COMPARED_WORDS)
    same = [one for one in exact if one.word == word]
    return same or exact or await _corrected(session, word)


async def _completed(session: AnySession, word: str) -> list[KnownWord]:
    found = await queries.completions(session, word, limit=_COMPARED_WORDS)
    return found or await _corrected(session, word)


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
    session: AnySession, before: Sequence[KnownWord], last: Sequence[KnownWord], limit: int
) -> list[NamedProduct]:
    """Return products of all the words before and any of the last; the cheaper way of two."""
    rarest = min([sum(one.name_count for one in last), *(one.name_count for one in before)])
    if before or rarest <= _COMMON:
        required = [f"+{NAME_FIELD}{one.word}" for one in before]
        choices = " ".join(f"{NAME_FIELD}{one.word}" for one in last)
        expression = " ".join([*required, f"+({choices})"])
        return await queries.products_matching(session, expression, limit=limit)
    return await queries.products_holding(session, f"{NAME_FIELD}{last[0].word} ", limit=limit)
