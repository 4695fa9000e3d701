"""What it costs the gateway that everybody has a token of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

from common_lib.auth import Role, SigningKey, TokenSigner
from common_lib.ids import new_id
from gateway.settings import GatewaySettings
from tests.bench.load import Request
from tests.bench.report import Row
from tests.bench.stats import ratio
from tests.bench.world import Measured, World

PATH: Final = "/api/products/0198c0de-0000-7000-8000-000000000000"
GATEWAY: Final = "gateway"
MANY: Final = 10_000
# More than are verified in the time: each is seen once.
NEW: Final = 30_000
NEW_S: Final = 2.0
CLIENTS: Final = 16
ROUNDS: Final = 2
GOAL: Final = 1.5


def measure(world: World) -> list[Row]:
    """Measure on the gateway as it runs, before an upstream that answers."""
    signer = _signer(world)
    one, many = (_written(world, signer, count) for count in (1, MANY))
    url = world.stack.layout.url(GATEWAY)
    runs: dict[Path, list[Measured]] = {one: [], many: []}
    world.warm_up(url, Request(path=PATH, tokens=one))
    with world.step(f"{MANY:,} tokens for the first time"):
        _measured(world, many, world.seconds)
    for turn in range(ROUNDS):
        for tokens, found in runs.items():
            with world.step(f"the tokens of {tokens.name}, round {turn + 1}"):
                found.append(_measured(world, tokens, world.seconds / ROUNDS))
    with world.step("tokens seen for the first time"):
        first = _measured(world, _written(world, signer, NEW), NEW_S).cpu_us(GATEWAY)
    return _rows({tokens: _cpu_us(found) for tokens, found in runs.items()}, one, many, first)


def _signer(world: World) -> TokenSigner:
    settings = GatewaySettings()
    key = SigningKey.from_file(world.stack.layout.keys / "jwt.pem")
    return TokenSigner(key, issuer=settings.jwt_issuer, audience=settings.jwt_audience)


def _written(world: World, signer: TokenSigner, count: int) -> Path:
    """Return a file of tokens, one a line, each of a user of its own."""
    file = world.stack.layout.home / f"tokens-{count}"
    tokens = (signer.access(new_id(), Role.CUSTOMER, str(uuid4())) for _ in range(count))
    file.write_text("\n".join(tokens) + "\n")
    return file


def _measured(world: World, tokens: Path, seconds: float) -> Measured:
    request = Request(path=PATH, tokens=tokens)
    return world.measure(
        world.stack.layout.url(GATEWAY), request, clients=CLIENTS, watch=[GATEWAY], seconds=seconds
    )


def _cpu_us(runs: list[Measured]) -> float:
    requests = sum(run.outcome.succeeded for run in runs)
    return sum(run.cpu_s[GATEWAY] for run in runs) * 1e6 / max(1, requests)


def _rows(us: Mapping[Path, float], one: Path, many: Path, first_us: float) -> list[Row]:
    share = ratio(us[many], us[one])
    return [
        Row(
            f"{MANY:,} different tokens at most {GOAL} times the cost of one",
            f"{us[many]:.0f} µs a request, {us[one]:.0f} µs with one token",
            f"{share:.2f}",
            share <= GOAL,
        ),
        Row(
            "A token seen for the first time (ES256 verified, nothing cached)",
            f"{first_us:.0f} µs a request",
            f"{ratio(first_us, us[one]):.1f}",
        ),
    ]
