"""What a product is found by: its copy in the index."""

from collections.abc import Iterable
from typing import Final

from catalog_service.models.search import LONGEST_NAMES
from catalog_service.models.search_text import NAME_FIELD, TEXT_FIELD, query_terms, text_words
from catalog_service.queries.search_index import Document, Source
from catalog_service.services.search.plan import attribute_token

_SPACES_AROUND: Final = 2


def document_of(source: Source) -> Document:
    """Return the copy of a product: names, categories, variants, attributes, SKUs, description."""
    product = source.product
    names = _fitting(text_words(product.name))
    titles = dict.fromkeys([*names, *_titles(source), *_skus(source)])
    texts = [word for word in text_words(product.description) if word not in titles]
    attributes = _attributes(source)
    tokens = [attribute_token(name, value) for name in attributes for value in attributes[name]]
    return Document(
        product_id=product.id,
        version=product.version,
        category_id=product.category_id,
        seller_id=product.seller_id,
        price_minor=product.min_price_minor,
        rating_hundredths=round(100 * product.avg_rating),
        sold=product.total_sold,
        is_in_stock=source.is_in_stock,
        label=product.name,
        slug=product.slug,
        names=names,
        words=[
            *(NAME_FIELD + word for word in titles),
            *(TEXT_FIELD + word for word in texts),
            *dict.fromkeys(tokens),
        ],
        attributes=attributes,
    )


def _titles(source: Source) -> Iterable[str]:
    for name in source.path:
        yield from text_words(name)
    for variant in source.variants:
        yield from text_words(variant.name)
        for value in variant.attributes.values():
            yield from text_words(str(value))


def _skus(source: Source) -> list[str]:
    """Return each SKU as one word, as a query for it is read."""
    return [term.whole for variant in source.variants for term in query_terms(variant.sku)]


def _attributes(source: Source) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for variant in source.variants:
        for name, value in variant.attributes.items():
            found.setdefault(str(name), {})[str(value)] = None
    return {name: sorted(values) for name, values in sorted(found.items())}


def _fitting(words: list[str]) -> list[str]:
    """Return as many words as the column holds; two hundred letters of Hindi are a thousand."""
    length, fitting = _SPACES_AROUND, []
    for word in words:
        length += len(word) + 1
        if length > LONGEST_NAMES:
            break
        fitting.append(word)
    return fitting
