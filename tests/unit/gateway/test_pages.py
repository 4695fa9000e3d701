from typing import Any

from gateway.answers import Cors, limit_headers, may_compress
from gateway.headers import RequestHead
from gateway.limits import Count, Verdict
from gateway.pages import merge, problem_rows


def document(path: str, schema: dict[str, Any]) -> dict[str, Any]:
    answer = {"$ref": "#/components/schemas/Item"}
    return {
        "paths": {path: {"get": {"responses": {"200": {"schema": answer}}}}},
        "components": {"schemas": {"Item": schema, "ItemList": {"items": answer}}},
    }


def test_merging_keeps_public_paths_only() -> None:
    inner = document("/internal/inventory/reserve", {"type": "object"})
    inner["paths"]["/metrics"] = {}
    inner["paths"]["/api/products/{id}"] = {"get": {}}
    inner["paths"]["/api/orders"] = {"get": {"summary": "not this service's"}}

    merged = merge({"catalog": inner})

    assert list(merged["paths"]) == ["/api/products/{id}"]


def test_what_is_said_of_an_operation_heads_it() -> None:
    paths = {
        "/api/products": {
            "get": {"summary": "List Products", "description": "List the products.\n\nMore."},
            "post": {"summary": "Create Product"},
        }
    }

    operations = merge({"catalog": {"paths": paths}})["paths"]["/api/products"]

    assert operations["get"]["summary"] == "List the products"
    assert operations["get"]["description"] == "List the products.\n\nMore."
    assert operations["post"]["summary"] == "Create Product"


def test_schemas_that_differ_under_one_name_are_told_apart() -> None:
    merged = merge(
        {
            "catalog": document("/api/products", {"type": "object", "title": "a"}),
            "order": document("/api/orders", {"type": "object", "title": "b"}),
        }
    )

    schemas = merged["components"]["schemas"]
    used = merged["paths"]["/api/orders"]["get"]["responses"]["200"]["schema"]["$ref"]
    assert schemas["Item"]["title"] == "a"
    assert schemas[used.rpartition("/")[2]]["title"] == "b"
    assert schemas["OrderItemList"]["items"]["$ref"].endswith("/OrderItem")


def test_equal_schemas_stay_one() -> None:
    same = {"type": "object"}

    merged = merge(
        {"catalog": document("/api/products", same), "order": document("/api/orders", same)}
    )

    assert set(merged["components"]["schemas"]) == {"Item", "ItemList"}


def test_problem_codes_are_read_from_the_table() -> None:
    table = (
        "# Problems\n\n| Code | Status | What to do |\n|---|---|---|\n"
        "| `price_changed` | 409 | Read the cart again. |\n| not a code | 1 | x |\n"
    )

    assert problem_rows(table) == {"price_changed": ("409", "Read the cart again.")}


def test_only_listed_origins_are_let_in() -> None:
    cors = Cors(["https://shop.example"])

    assert (b"access-control-allow-origin", b"https://shop.example") in cors.headers(
        b"https://shop.example"
    )
    for origin in (None, b"null", b"https://shop.example.evil", b"http://shop.example", b"*"):
        assert cors.headers(origin) == [(b"vary", b"Origin")]
        assert cors.preflight(origin) == [(b"vary", b"Origin")]
    assert Cors([]).headers(b"https://shop.example") == []


def test_answers_with_tokens_are_never_compressed() -> None:
    head = RequestHead(accept_encoding=b"gzip")
    named = {b"content-type": b"application/json"}

    assert may_compress(head, "/api/products", 200, named)
    assert not may_compress(head, "/api/auth", 200, named)
    assert not may_compress(head, "/api/products", 304, named)
    assert not may_compress(head, "/api/products", 200, {b"content-type": b"image/png"})
    assert not may_compress(head, "/api/products", 200, {**named, b"content-encoding": b"br"})
    assert not may_compress(RequestHead(), "/api/products", 200, named)


def test_the_wait_is_rounded_up() -> None:
    counts = [Count("default", limit=100, remaining=0, free_in_s=0.2)]
    headers = dict(limit_headers(Verdict(is_admitted=False, counts=counts)))

    assert headers[b"ratelimit"] == b'"default";r=0;t=1'
    assert headers[b"ratelimit-policy"] == b'"default";q=100;w=60'
