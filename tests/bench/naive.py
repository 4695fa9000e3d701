"""The gateway as tutorials build it, running beside ours; its packages are its own."""

import json
from pathlib import Path
from typing import Final

import httpx2

from gateway.settings import GatewaySettings
from shop.stack import venvs
from shop.stack.ports import free_ports
from tests.bench.world import World

FOLDER: Final = Path(__file__).parent


def start(world: World, name: str, upstream: str) -> str:
    """Start it before `upstream`, its environment made on demand; return its address."""
    layout = world.stack.layout
    environment = layout.downloads / "naive-gateway"
    if not venvs.is_complete(environment):
        with world.progress.step("fetching FastAPI, httpx and python-jose") as step:
            requirements = str(FOLDER / "naive-requirements.txt")
            venvs.create(environment, ["--require-hashes", "-r", requirements], step)
            world.progress.done("fetched FastAPI, httpx and python-jose", step.elapsed_s)
    keys = layout.home / "jwks.json"
    keys.write_text(json.dumps(_keys(world)))
    settings = GatewaySettings()
    (port,) = free_ports(1)
    argv = [venvs.python(environment), str(FOLDER / "naive_gateway.py"), str(port), upstream]
    argv += [layout.redis_url, str(keys), settings.jwt_audience, settings.jwt_issuer]
    world.start_helper(name, argv, port)
    return f"http://127.0.0.1:{port}"


def _keys(world: World) -> object:
    world.need("user")
    answer = httpx2.get(f"{world.stack.layout.url('user')}/.well-known/jwks.json")
    return answer.raise_for_status().json()
