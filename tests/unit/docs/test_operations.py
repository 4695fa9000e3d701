"""The OpenAPI documents say what each operation is for."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

import catalog_service.api
import notification_service.api
import order_service.api
import user_service.api
from tests.rights.routes import document_of

DOCUMENTS: Final = {
    "user": document_of(user_service.api.ROUTERS),
    "catalog": document_of(catalog_service.api.ROUTERS, catalog_service.api.ROUTES),
    "order": document_of(order_service.api.ROUTERS, order_service.api.ROUTES),
    "notification": document_of((notification_service.api.router,)),
}
# A capital, at least two words, a full stop; what follows an empty line explains further.
SENTENCE: Final = re.compile(r"[A-Z][^\n]*[^\s.] [^\n]*\.(\n|$)")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


@pytest.mark.parametrize("service", DOCUMENTS)
def test_every_operation_says_in_a_sentence_what_it_does(service: str) -> None:
    said = {name: each.get("description", "") for name, each in operations(DOCUMENTS[service])}

    assert {name: text for name, text in said.items() if not SENTENCE.match(text)} == {}


@pytest.mark.parametrize("service", DOCUMENTS)
def test_no_operation_tells_readers_how_it_is_built(service: str) -> None:
    said = {name: each.get("description", "") for name, each in operations(DOCUMENTS[service])}

    assert {name for name, text in said.items() if re.search("route|OpenAPI", text)} == set()


@pytest.mark.parametrize("service", DOCUMENTS)
def test_every_operation_stands_under_one_heading(service: str) -> None:
    tags = {name: each.get("tags", []) for name, each in operations(DOCUMENTS[service])}

    assert {name: found for name, found in tags.items() if len(found) != 1} == {}


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = Counter(
        each.get("operationId")
        for document in DOCUMENTS.values()
        for _, each in operations(document)
    )

    assert [found for found, times in ids.items() if not found or times > 1] == []
