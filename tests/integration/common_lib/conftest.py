"""What the integration tests of common_lib share: an order database and a queue of their own."""

from collections.abc import AsyncIterator, Callable

import pytest

from common_lib.bus import Bus
from common_lib.database import Database
from common_lib.events import Topic
from common_lib.ids import new_id
from tests.conftest import ScratchDatabase

OpenDatabase = Callable[[str], Database]


@pytest.fixture
async def database(scratch_database: ScratchDatabase, open_database: OpenDatabase) -> Database:
    return open_database(await scratch_database("order"))


@pytest.fixture
async def queue(bus: Bus) -> AsyncIterator[str]:
    """A queue of this test's own, on the topic user-events, with a dead letter queue."""
    name = f"test-{new_id().hex}"
    sqs, sns = bus._sqs, bus._sns
    dead = (await sqs.create_queue(QueueName=f"{name}-dlq"))["QueueUrl"]
    url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
    arns = {
        one: (await sqs.get_queue_attributes(QueueUrl=one, AttributeNames=["QueueArn"]))[
            "Attributes"
        ]["QueueArn"]
        for one in (url, dead)
    }
    redrive = f'{{"deadLetterTargetArn": "{arns[dead]}", "maxReceiveCount": "3"}}'
    await sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redrive})
    subscription = await sns.subscribe(
        TopicArn=bus.topic_arn(Topic.USER_EVENTS),
        Protocol="sqs",
        Endpoint=arns[url],
        Attributes={"RawMessageDelivery": "true"},
        ReturnSubscriptionArn=True,
    )
    yield name
    await sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    for one in (url, dead):
        await sqs.delete_queue(QueueUrl=one)
