"""Every request that the services read: bodies by their models, queries by their routes."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import catalog_service.api
import catalog_service.schemas
import notification_service.api
import order_service.api
import order_service.schemas
import user_service.api
import user_service.schemas
from common_lib.problems import RequestModel
from common_lib.text import leaves

SERVICES = ("catalog_service", "notification_service", "order_service", "user_service")
_PACKAGES = (
    catalog_service.api,
    catalog_service.schemas,
    order_service.api,
    order_service.schemas,
    user_service.api,
    user_service.schemas,
)


@dataclass(frozen=True)
class Leaf:
    """A plain value somewhere in a request; `place` is `Model.member`, or `METHOD path?name`."""

    place: str
    kind: type[Any]
    marks: tuple[Any, ...]


def modules() -> Iterator[Any]:
    yield notification_service.api
    for package in _PACKAGES:
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


def bodies() -> list[type[BaseModel]]:
    """Return the models of all request bodies of the four services, in order of their names."""
    list(modules())
    found = {
        model
        for model in _below(RequestModel)
        if model.__module__.split(".")[0] in SERVICES or model.__module__ == "common_lib.addresses"
    }
    return sorted(found, key=lambda model: (model.__module__, model.__name__))


def routes() -> list[APIRoute]:
    found = {
        id(route): route
        for module in modules()
        for router in vars(module).values()
        if isinstance(router, APIRouter)
        for route in router.routes
        if isinstance(route, APIRoute)
    }
    return list(found.values())


def leaves_of_bodies() -> list[Leaf]:
    return [leaf for model in bodies() for leaf in leaves_of(model)]


def leaves_of_queries() -> list[Leaf]:
    return [
        leaf
        for route in routes()
        for field in _query_fields(route.dependant)
        for leaf in _leaves_of_parameter(route, field)
    ]


def leaves_of(model: type[BaseModel]) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        yield from _leaves(f"{model.__name__}.{name}", field.annotation, tuple(field.metadata))


def _leaves_of_parameter(route: APIRoute, field: Any) -> Iterator[Leaf]:
    info: FieldInfo = field.field_info
    if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
        yield from leaves_of(info.annotation)
        return
    yield from _leaves(f"{route.path}?{field.alias}", info.annotation, tuple(info.metadata))


def _leaves(place: str, annotation: Any, marks: tuple[Any, ...]) -> Iterator[Leaf]:
    for kind, found in leaves(annotation, marks):
        yield Leaf(place, kind, found)
    for part in _parts(annotation):
        yield from _leaves(place, part, ())


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield what a container in the annotation holds; models are walked by themselves."""
    for part in get_args(annotation):
        if get_origin(part) in {list, tuple, dict, set, frozenset}:
            yield from get_args(part)
        yield from _parts(part)
    if get_origin(annotation) in {list, tuple, dict, set, frozenset}:
        yield from get_args(annotation)


def _query_fields(dependant: Dependant) -> Iterator[Any]:
    yield from dependant.query_params
    for each in dependant.dependencies:
        yield from _query_fields(each)


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)
