"""What a product is found by: its copy in the index."""

from collections.abc import Iterable
from typing import Final

from catalog_service.models.search import LONGEST_NAMES
from catalog_service.models.search_text import (
    NAME_FIELD,
    TEXT_FIELD,
    attribute_token,
    folded_label,
    query_terms,
    text_words,
)
from catalog_service.queries.search_index import Document, DocumentVariant, Source

_SPACES_AROUND: Final = 2


def document_of(source: Source) -> Document:
    """Return the copy of a product: names, categories, variants, attributes, SKUs, description."""
    product = source.product
    names = _fitting(text_words(product.name))
    titles = dict.fromkeys([*names, *_titles(source), *_skus(source)])
    texts = [word for word in text_words(product.description) if word not in titles]
    variants = _variants(source)
    tokens = [token for variant in variants for token in variant.tokens]
    return Document(
        product_id=product.id,
        version=product.version,
        category_id=product.category_id,
        seller_id=product.seller_id,
        price_minor=product.min_price_minor,
        rating_hundredths=round(100 * product.avg_rating),
        sold=product.total_sold,
        label=product.name,
        slug=product.slug,
        names=names,
        words=[
            *(NAME_FIELD + word for word in titles),
            *(TEXT_FIELD + word for word in texts),
            *dict.fromkeys(tokens),
        ],
        variants=variants,
    )


def _titles(source: Source) -> Iterable[str]:
    for name in source.path:
        yield from text_words(name)
    for variant, _ in source.variants:
        yield from text_words(variant.name)
        for value in variant.attributes.values():
            yield from text_words(str(value))


def _skus(source: Source) -> list[str]:
    """Return each SKU as one word, as a query for it is read."""
    return [term.whole for variant, _ in source.variants for term in query_terms(variant.sku)]


def _variants(source: Source) -> list[DocumentVariant]:
    """Return the variants; what is the same but for case is written as the first one writes it."""
    names: dict[str, str] = {}
    values: dict[str, str] = {}
    found = []
    for variant, is_in_stock in source.variants:
        attributes: dict[str, str] = {}
        for name, value in variant.attributes.items():
            label, text = str(name), str(value)
            token = attribute_token(label, text)
            written = names.setdefault(folded_label(label), label)
            attributes[written] = values.setdefault(token, text)
        tokens = list(dict.fromkeys(attribute_token(*pair) for pair in attributes.items()))
        found.append(DocumentVariant(variant.price_minor, is_in_stock, attributes, tokens))
    return found


def _fitting(words: list[str]) -> list[str]:
    """Return as many words as the column holds; two hundred letters of Hindi are a thousand."""
    length, fitting = _SPACES_AROUND, []
    for word in words:
        length += len(word) + 1
        if length > LONGEST_NAMES:
            break
        fitting.append(word)
    return fitting
