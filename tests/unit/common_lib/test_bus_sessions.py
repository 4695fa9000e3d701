"""The leaner session opens the same clients as the library's own."""

from typing import Any, NamedTuple

import aioboto3
import pytest
from botocore.exceptions import UnknownServiceError

from common_lib.bus.sessions import new_session

SERVICES = ("sns", "sqs", "ses", "s3", "ssm", "secretsmanager", "sts")
REGIONS = ("ap-south-1", "us-east-1", "cn-north-1", "us-gov-west-1")


class Sessions(NamedTuple):
    lean: Any
    plain: Any


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    return Sessions(new_session(), aioboto3.Session())


async def described(session: Any, service: str, region: str) -> list[Any]:
    """Return whom a client talks to, and how it signs what it says."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    async with session.client(service, region_name=region, **keys) as client:
        signer = client._request_signer
        signing = (signer.signing_name, signer.region_name, signer.signature_version)
        return [client.meta.endpoint_url, client.meta.partition, *signing]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_client_goes_where_that_of_a_plain_session_goes(
    sessions: Sessions, service: str
) -> None:
    for region in REGIONS:
        lean = await described(sessions.lean, service, region)
        assert lean == await described(sessions.plain, service, region)


@pytest.mark.parametrize("kind", ["service-2", "paginators-1", "waiters-2"])
def test_what_is_known_of_a_service_is_the_same(sessions: Sessions, kind: str) -> None:
    lean, plain = (each._session.get_component("data_loader") for each in sessions)
    for service in set(SERVICES) & set(plain.list_available_services(kind)):
        assert lean.load_service_model(service, kind) == plain.load_service_model(service, kind)


async def test_a_service_that_does_not_exist_is_still_unknown(sessions: Sessions) -> None:
    with pytest.raises(UnknownServiceError):
        await described(sessions.lean, "no-such-service", "us-east-1")


def test_only_our_services_are_kept_in_memory(sessions: Sessions) -> None:
    endpoints = sessions.lean._session.get_component("data_loader").load_data("endpoints")
    assert {"sns", "sqs"} <= set(endpoints["partitions"][0]["services"])
    assert all(len(partition["services"]) < 10 for partition in endpoints["partitions"])
