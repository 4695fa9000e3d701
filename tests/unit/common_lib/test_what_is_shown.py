"""Who may read metrics and OpenAPI document of a process: in production nobody by default."""

from collections.abc import Mapping

import httpx2
import pytest

from common_lib.runtime import create_app
from common_lib.settings import DatabaseSettings, Profile, ServiceSettings
from gateway.main import build_app
from gateway.settings import GatewaySettings

SETTINGS = ServiceSettings(port=1)
SHOWN = {"/openapi.json": 200, "/metrics": 200}
HIDDEN = {"/openapi.json": 404, "/metrics": 404}


async def statuses(settings: ServiceSettings, *, is_internal: bool = False) -> Mapping[str, int]:
    app = create_app(settings, "test", is_internal=is_internal)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        return {path: (await client.get(path)).status_code for path in SHOWN}


@pytest.mark.parametrize(
    ("profile", "changes", "expected"),
    [
        (Profile.DEV, {}, SHOWN),
        (Profile.TEST, {}, SHOWN),
        (Profile.PRODUCTION, {}, HIDDEN),
        (Profile.PRODUCTION, {"shows_openapi": True}, HIDDEN | {"/openapi.json": 200}),
        (Profile.PRODUCTION, {"shows_metrics": True}, HIDDEN | {"/metrics": 200}),
        (Profile.DEV, {"shows_openapi": False, "shows_metrics": False}, HIDDEN),
    ],
)
async def test_documents_and_metrics_are_shown_where_the_settings_say_so(
    profile: Profile, changes: Mapping[str, bool], expected: Mapping[str, int]
) -> None:
    settings = SETTINGS.model_copy(update={"profile": profile, **changes})

    assert await statuses(settings) == expected


async def test_the_health_server_of_a_worker_shows_its_metrics_also_in_production() -> None:
    settings = SETTINGS.model_copy(update={"profile": Profile.PRODUCTION})

    assert (await statuses(settings, is_internal=True))["/metrics"] == 200


@pytest.mark.parametrize(("profile", "is_shown"), [("dev", True), ("production", False)])
def test_the_gateway_keeps_its_document_and_its_reader_for_development(
    profile: str, is_shown: bool
) -> None:
    settings = GatewaySettings().model_copy(update={"profile": Profile(profile)})
    is_local = build_app(settings)._is_local

    assert [is_local(path) for path in (b"/openapi.json", b"/docs")] == [is_shown, is_shown]
    assert is_local(b"/readyz")


def test_a_service_may_be_given_a_port_of_its_own_for_its_metrics() -> None:
    settings = DatabaseSettings(port=1, database_url="mysql://x", service_metrics_port=9090)

    assert settings.own_metrics_port == 9090
