"""No token opens a door but those that the user service gave out, and only while they live.

Each is tried at the gateway and at every service's own port: a service checks tokens itself.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from common_lib.auth import ServiceTokens, SigningKey
from shop.stack.credentials import key_file
from shop.stack.native import NativeStack
from tests.e2e.forging import FORGED, MISISSUED, Mint, malleated
from tests.shopper import Shopper
from tests.waiting import eventually

# What only its owner reads, at each service.
OWN = {
    "user": "/api/users/{id}",
    "catalog": "/api/wishlists/{id}",
    "order": "/api/cart/{id}",
    "notification": "/api/notifications?userId={id}",
}
# What only an administrator reads; the user service's is a role that is already held.
ADMINS = {"catalog": "/api/sellers", "order": "/api/coupons"}
INTERNAL = {
    "user": ("GET", "/internal/users/{id}/contact"),
    "catalog": ("GET", "/internal/sellers/by-user/{id}"),
    "order": ("POST", "/internal/orders/abort"),
}


def bearer(token: str) -> httpx2.Headers:
    """Return the header, whatever the token holds."""
    return httpx2.Headers([(b"Authorization", f"Bearer {token}".encode())])


@dataclass
class Doors:
    """The gateway and the four services, each behind one client."""

    stack: NativeStack
    http: httpx2.AsyncClient

    def own(self, user_id: str) -> list[str]:
        paths = {service: path.format(id=user_id) for service, path in OWN.items()}
        through_gateway = [self.stack.layout.url("gateway") + path for path in paths.values()]
        return through_gateway + [
            self.stack.layout.url(each) + path for each, path in paths.items()
        ]

    def administrators(self) -> list[str]:
        return [
            self.stack.layout.url(door) + path
            for service, path in ADMINS.items()
            for door in ("gateway", service)
        ]

    async def get(self, urls: list[str], token: str | None = None, **given: Any) -> list[Any]:
        headers = httpx2.Headers(given.pop("headers", {}))
        headers.update(bearer(token) if token is not None else {})
        return await asyncio.gather(*(self.http.get(url, headers=headers, **given) for url in urls))


@pytest.fixture(scope="module")
async def doors(stack: NativeStack) -> AsyncIterator[Doors]:
    async with httpx2.AsyncClient(timeout=30) as http:
        yield Doors(stack, http)


@pytest.fixture
def mint(stack: NativeStack) -> Mint:
    """The shop's own key, in hands that it should not be in."""
    return Mint(SigningKey.from_file(key_file(stack.layout.keys, "jwt")), uuid4())


def assert_refused(answers: list[httpx2.Response], *codes: str) -> None:
    for answer in answers:
        assert answer.status_code == 401, f"{answer.url}: {answer.status_code} {answer.text[:200]}"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert not codes or answer.json()["code"] in codes, f"{answer.url}: {answer.text}"


async def test_the_shops_own_key_opens_every_door(doors: Doors, mint: Mint) -> None:
    """Else the refusals below would prove nothing."""
    answers = await doors.get(doors.own(str(mint.user_id)), mint.signed())

    # The user service knows no account of that id, and says so only to who is let in.
    assert [answer.status_code for answer in answers] == [404, 200, 200, 200] * 2


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_opens_no_door(doors: Doors, mint: Mint, name: str) -> None:
    answers = await doors.get(doors.own(str(mint.user_id)), FORGED[name](mint))

    assert_refused(answers)
    assert mint.key.key_id not in "".join(answer.text for answer in answers)


@pytest.mark.parametrize("name", MISISSUED)
async def test_a_signature_is_not_enough(doors: Doors, mint: Mint, name: str) -> None:
    assert_refused(await doors.get(doors.own(str(mint.user_id)), MISISSUED[name](mint)))


async def test_the_other_signature_of_a_token_dies_with_it(doors: Doors, shopper: Shopper) -> None:
    """ECDSA has two for each; both name one session, so nothing is gained by writing the other."""
    twin = malleated(shopper.token)
    urls = doors.own(shopper.user_id)
    assert {answer.status_code for answer in await doors.get(urls, twin)} == {200}

    await shopper.request("POST", "/api/auth/logout")

    await refused_everywhere(doors, urls, twin, "revoked")


async def refused_everywhere(doors: Doors, urls: list[str], token: str, *codes: str) -> None:
    """Wait, one second at most, until no door takes the token."""

    async def refused() -> bool:
        return {answer.status_code for answer in await doors.get(urls, token)} == {401}

    await eventually(refused, timeout_s=1)
    assert_refused(await doors.get(urls, token), *codes)


@pytest.mark.parametrize("path", ["/api/auth/logout", "/api/auth/logout-all"])
async def test_a_session_that_was_ended_opens_no_door(
    doors: Doors, shopper: Shopper, path: str
) -> None:
    urls = doors.own(shopper.user_id)
    assert {answer.status_code for answer in await doors.get(urls, shopper.token)} == {200}

    assert (await shopper.request("POST", path)).status_code == 204

    await refused_everywhere(doors, urls, shopper.token, "revoked")


async def test_who_is_suspended_opens_no_door(
    doors: Doors, admin: Shopper, shopper: Shopper
) -> None:
    urls = doors.own(shopper.user_id)
    assert {answer.status_code for answer in await doors.get(urls, shopper.token)} == {200}

    path = f"/api/users/{shopper.user_id}/status"
    changed = await admin.request("PATCH", path, json={"status": "SUSPENDED"})
    assert changed.status_code == 200, changed.text

    await refused_everywhere(doors, urls, shopper.token, "revoked")


async def test_a_demoted_administrators_token_is_a_customers(
    doors: Doors, admin: Shopper, shopper: Shopper
) -> None:
    path = f"/api/users/{shopper.user_id}/role"
    assert (await admin.request("PATCH", path, json={"role": "ADMIN"})).status_code == 200
    await shopper.login()
    urls = doors.administrators()
    assert {a.status_code for a in await doors.get(urls, shopper.token)} == {200}

    demoted_at = time.monotonic()
    assert (await admin.request("PATCH", path, json={"role": "CUSTOMER"})).status_code == 200

    async def refused() -> bool:
        answers = await doors.get(urls, shopper.token)
        return {answer.status_code for answer in answers} == {403}

    await eventually(refused, timeout_s=1)
    assert time.monotonic() - demoted_at < 2


async def test_a_refresh_token_is_no_access_token(doors: Doors, shopper: Shopper) -> None:
    answers = await doors.get(doors.own(shopper.user_id), shopper.refresh_token)

    assert_refused(answers, "wrong_token_type")


async def test_an_access_token_is_no_refresh_token(shopper: Shopper) -> None:
    for token in (shopper.token, shopper.refresh_token[:-1], shopper.refresh_token + "=", "x"):
        answer = await shopper.request("POST", "/api/auth/refresh", json={"refreshToken": token})
        assert_refused([answer])


async def test_a_guest_is_no_customer(doors: Doors) -> None:
    gateway = doors.stack.layout.url("gateway")
    guest = (await doors.http.post(f"{gateway}/api/auth/guest", json={})).json()
    [placed] = await doors.get([f"{gateway}/api/coupons"], guest["accessToken"])
    body = {"shippingAddress": {}, "paymentMethod": "COD"}
    headers = {"Authorization": f"Bearer {guest['accessToken']}", "Idempotency-Key": uuid4().hex}
    order = await doors.http.post(f"{gateway}/api/orders", json=body, headers=headers)

    assert (placed.status_code, order.status_code) == (403, 403)


# Another place, another scheme


async def test_a_token_belongs_into_the_header(doors: Doors, shopper: Shopper) -> None:
    urls, token = doors.own(shopper.user_id), shopper.token
    for name in ("access_token", "token", "jwt", "Authorization"):
        answers = await doors.get(urls, params={name: token})
        # The catalog also refuses what it does not know in a query.
        assert {answer.status_code for answer in answers} <= {401, 422}
    elsewhere: list[Mapping[str, str]] = [
        {"Cookie": f"access_token={token}; token={token}; Authorization=Bearer {token}"},
        {"X-Access-Token": token},
        {"X-Authorization": f"Bearer {token}"},
        {"Proxy-Authorization": f"Bearer {token}"},
        {"X-Forwarded-Authorization": f"Bearer {token}"},
        {"X-Original-Authorization": f"Bearer {token}"},
        {"X-User-Id": shopper.user_id, "X-User-Role": "ADMIN"},
    ]
    for headers in elsewhere:
        assert_refused(await doors.get(urls, headers=headers), "auth_required")


@pytest.mark.parametrize(
    "write",
    [
        "{}",
        "Basic {}",
        "Token {}",
        "JWT {}",
        "Bearer: {}",
        "Bearer={}",
        "Bearer{}",
        "Bearer Bearer {}",
        "Bearer {0} {0}",
        "Bearer, {}",
        "Basic eDp5, Bearer {}",
        "Bearer {}, Basic eDp5",
        'Bearer realm="shop", token="{}"',
    ],
)
async def test_another_scheme_opens_no_door(doors: Doors, shopper: Shopper, write: str) -> None:
    headers = {"Authorization": write.format(shopper.token)}

    assert_refused(await doors.get(doors.own(shopper.user_id), headers=headers))


async def test_the_scheme_is_read_in_any_case(doors: Doors, shopper: Shopper) -> None:
    """RFC 9110, 11.1: so a filter that looks for capitals only would be passed by."""
    for scheme in ("bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {shopper.token}"}
        answers = await doors.get(doors.own(shopper.user_id), headers=headers)
        assert {answer.status_code for answer in answers} == {200}


async def test_two_headers_are_one_too_many(doors: Doors, shopper: Shopper) -> None:
    bearer = f"Bearer {shopper.token}"
    for values in ((bearer, "Bearer x"), ("Bearer x", bearer), (bearer, bearer)):
        headers = httpx2.Headers([("Authorization", value) for value in values])
        for url in doors.own(shopper.user_id):
            answer = await doors.http.get(url, headers=headers)
            assert answer.status_code in {400, 401}, (url, answer.status_code)


# Services


async def _internal(doors: Doors, token: str, user_id: UUID) -> list[httpx2.Response]:
    headers = bearer(token)
    return [
        await doors.http.request(
            method, doors.stack.layout.url(service) + path.format(id=user_id), headers=headers
        )
        for service, (method, path) in INTERNAL.items()
    ]


@pytest.fixture
def service_mint(stack: NativeStack) -> Mint:
    return Mint(SigningKey.from_file(key_file(stack.layout.keys, "service")), uuid4())


def service_token(mint: Mint, **changes: Any) -> str:
    now = int(time.time())
    names = {"iss": "order-service", "sub": "order-service", "aud": "catalog-service"}
    claims = {**names, "iat": now, "exp": now + 60, "jti": "1"} | changes
    known = {name: value for name, value in claims.items() if value is not ...}
    return mint.signed(mint.header(typ="service+jwt"), known)


async def test_a_service_token_opens_its_own_internal_door(
    doors: Doors, service_mint: Mint
) -> None:
    for audience in INTERNAL:
        token = service_token(service_mint, aud=f"{audience}-service")
        answers = await _internal(doors, token, service_mint.user_id)
        opened = {answer.url.port for answer in answers if answer.status_code != 401}
        assert opened == {doors.stack.layout.ports.of(audience)}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_opens_no_internal_door(
    doors: Doors, service_mint: Mint, name: str
) -> None:
    assert_refused(await _internal(doors, FORGED[name](service_mint), service_mint.user_id))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ...},
        {"aud": ["user-service", "catalog-service", "order-service"]},
        {"aud": "shop"},
        {"aud": "gateway"},
        {"exp": ...},
        {"exp": 2**53},
        {"exp": "9999999999"},
        {"iat": ...},
        {"iat": 0},
        {"iat": 2**40, "exp": 2**40 + 60},
        {"nbf": 2**40},
        {"sub": ...},
        {"sub": ["order-service"]},
        {"jti": ...},
    ],
    ids=str,
)
async def test_a_service_token_is_checked_whole(
    doors: Doors, service_mint: Mint, changes: dict[str, Any]
) -> None:
    for audience in INTERNAL:
        token = service_token(service_mint, **({"aud": f"{audience}-service"} | changes))
        assert_refused(await _internal(doors, token, service_mint.user_id))


async def test_a_person_opens_no_internal_door(doors: Doors, admin: Shopper) -> None:
    for token in (admin.token, admin.refresh_token):
        assert_refused(await _internal(doors, token, UUID(admin.user_id)), "wrong_token_type")


async def test_a_service_token_opens_no_door_of_people(doors: Doors, service_mint: Mint) -> None:
    for service in OWN:
        token = service_token(service_mint, aud=f"{service}-service")
        assert_refused(
            await doors.get(doors.own(str(service_mint.user_id)), token), "wrong_token_type"
        )


async def test_a_person_signed_by_the_services_key_is_nobody(
    doors: Doors, service_mint: Mint
) -> None:
    assert_refused(await doors.get(doors.own(str(service_mint.user_id)), service_mint.signed()))


async def test_a_service_signed_by_the_peoples_key_is_nobody(doors: Doors, mint: Mint) -> None:
    key = SigningKey.from_file(key_file(doors.stack.layout.keys, "jwt"))
    for audience in INTERNAL:
        token = ServiceTokens(key, "order-service").issue(f"{audience}-service")
        assert_refused(await _internal(doors, token, mint.user_id))
