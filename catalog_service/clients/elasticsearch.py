"""Elasticsearch over plain JSON: only what search needs of its HTTP API.

Every call raises Unavailable when no answer comes or when the answer is not what it should be.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
import structlog

from catalog_service.settings import Settings
from common_lib.errors import Unavailable
from common_lib.http_client import Answer, HttpClient

log = structlog.get_logger(__name__)

ALIAS: Final = "products"
_NO_INDEX: Final = "index_not_found_exception"
_NDJSON: Final = {"content-type": "application/x-ndjson"}
_BULK_TIMEOUT_S: Final = 30.0
_ADMIN_TIMEOUT_S: Final = 30.0
_CONFLICT: Final = 409
_MISSING: Final = 404
_OK: Final = 300


def search_http(settings: Settings) -> HttpClient:
    """Return the connections to Elasticsearch; none is opened before the first call."""
    return HttpClient(
        "elasticsearch", settings.elasticsearch_url, timeout_s=settings.elasticsearch_timeout_s
    )


class IndexMissing(Unavailable):
    """Nothing was indexed yet: a rebuild makes the index."""

    title = "The search index has not been made yet"


class ElasticsearchClient:
    """One cluster, read and written through the alias `products`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def search(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer of a search. Raises IndexMissing or Unavailable."""
        answer = await self._call("POST", f"/{ALIAS}/_search", body, is_idempotent=True)
        if answer.get("timed_out"):
            raise Unavailable("Elasticsearch answered in part", retry_after_s=1)
        return answer

    async def write(
        self, index: str, documents: Mapping[str, Mapping[str, Any] | None], *, version: int
    ) -> list[str]:
        """Index or, for None, delete documents by id; return the ids that were refused.

        A document that a later version has overtaken counts as written. Raises Unavailable.
        """
        if not documents:
            return []
        lines: list[bytes] = []
        for document_id, document in documents.items():
            action = "delete" if document is None else "index"
            meta = {"_id": document_id, "version": version, "version_type": "external_gte"}
            lines.append(orjson.dumps({action: meta}))
            if document is not None:
                lines.append(orjson.dumps(document))
        # Without it, a write to an index that is gone would make one with guessed types.
        required = "&require_alias=true" if index == ALIAS else ""
        answer = await self._call(
            "POST",
            f"/{index}/_bulk?refresh=true{required}",
            b"\n".join(lines) + b"\n",
            headers=_NDJSON,
            timeout_s=_BULK_TIMEOUT_S,
        )
        return _refused(answer)

    async def create_index(self, name: str, body: Mapping[str, Any]) -> None:
        """Create an index; one that is there already is kept. Raises Unavailable."""
        if await self.has_index(name):
            return
        await self._call("PUT", f"/{name}", body, timeout_s=_ADMIN_TIMEOUT_S)

    async def has_index(self, name: str) -> bool:
        """Tell whether an index or alias of this name exists. Raises Unavailable."""
        answer = await self._http.request("HEAD", f"/{name}", is_idempotent=True)
        if answer.status not in {200, _MISSING}:
            raise Unavailable(f"Elasticsearch answered {answer.status}", retry_after_s=1)
        return answer.status != _MISSING

    async def point_alias_at(self, name: str) -> None:
        """Let the alias name this index alone, from one moment to the next; delete the others."""
        found = await self._http.request("GET", f"/_alias/{ALIAS}", is_idempotent=True)
        before = [] if found.status == _MISSING else list(_object(found))
        actions: list[Mapping[str, Any]] = [
            {"remove": {"index": old, "alias": ALIAS}} for old in before if old != name
        ]
        actions.append({"add": {"index": name, "alias": ALIAS}})
        body = {"actions": actions}
        await self._call("POST", "/_aliases", body, timeout_s=_ADMIN_TIMEOUT_S)
        for old in before:
            if old != name:
                await self._call("DELETE", f"/{old}", None, timeout_s=_ADMIN_TIMEOUT_S)

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None,
        *,
        headers: Mapping[str, str] | None = None,
        is_idempotent: bool = False,
        timeout_s: float | None = None,
    ) -> Mapping[str, Any]:
        answer = await self._http.request(
            method,
            path,
            json=body,
            headers=headers,
            is_idempotent=is_idempotent,
            timeout_s=timeout_s,
        )
        if answer.status == _MISSING:
            raise IndexMissing
        if answer.status >= _OK:
            raise Unavailable(f"Elasticsearch answered {answer.status}", retry_after_s=1)
        return _object(answer)


def _object(answer: Answer) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.status >= _OK or not isinstance(found, dict):
        raise Unavailable("Elasticsearch answered nonsense", retry_after_s=1)
    return found


def _refused(answer: Mapping[str, Any]) -> list[str]:
    """Return the ids of the items that failed for good. Raises Unavailable for nonsense."""
    if not answer.get("errors"):
        return []
    try:
        results = [next(iter(item.values())) for item in answer["items"]]
        missing = [r for r in results if r.get("error", {}).get("type") == _NO_INDEX]
        failed = [r for r in results if r["status"] >= _OK and not _is_fine(r)]
    except (KeyError, TypeError, AttributeError, StopIteration):
        raise Unavailable("Elasticsearch answered nonsense", retry_after_s=1) from None
    if missing:
        raise IndexMissing
    for result in failed[:3]:
        log.warning("search.document_refused", id=result.get("_id"), error=result.get("error"))
    return [str(result["_id"]) for result in failed]


def _is_fine(result: Mapping[str, Any]) -> bool:
    """Tell whether a newer version is there, or what was to be deleted is not."""
    return result["status"] == _CONFLICT or (result["status"] == _MISSING and "error" not in result)
