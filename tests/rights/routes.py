"""Which routes a service has, told by the service itself: a new one is in no table yet."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from common_lib.runtime import create_app
from common_lib.settings import ServiceSettings

Named = tuple[str, str]


def routes_of(routers: Sequence[APIRouter], routes: Sequence[BaseRoute] = ()) -> set[Named]:
    """Return method and path of every route, also of those in no OpenAPI document."""
    found = [route for router in routers for route in router.routes]
    named = {
        (method, route.path_format)
        for route in (*found, *routes)
        if isinstance(route, APIRoute | Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert all(isinstance(route, APIRoute | Route) for route in (*found, *routes))
    return named


def document_of(routers: Sequence[APIRouter], routes: Sequence[BaseRoute] = ()) -> dict[str, Any]:
    """Return the OpenAPI document of an app with these routes."""
    return create_app(ServiceSettings(port=1), "x", routers=routers, routes=routes).openapi()
