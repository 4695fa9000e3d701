"""One bad message in a batch is singled out; an outage is not taken for one."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from common_lib.bus import Bus, OutgoingMessage
from common_lib.errors import Unavailable
from common_lib.settings import ServiceSettings


class Sns:
    """Answers as SNS does: a batch with an unacceptable entry is refused as a whole."""

    def __init__(self, code: str = "BatchRequestTooLong") -> None:
        self.code = code
        self.published: list[str] = []
        self.forgets: set[str] = set()

    async def publish_batch(
        self,
        *,
        TopicArn: str,  # noqa: N803 - the API's own name
        PublishBatchRequestEntries: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        del TopicArn
        names = [entry["Id"] for entry in PublishBatchRequestEntries]
        if "bad" in names:
            raise ClientError({"Error": {"Code": self.code}}, "PublishBatch")
        self.published += names
        return {"Successful": [{"Id": name} for name in names if name not in self.forgets]}


def bus_over(sns: Sns) -> Bus:
    bus = Bus(ServiceSettings(port=1))
    bus._sns = sns
    return bus


def messages(*names: str) -> list[OutgoingMessage]:
    return [OutgoingMessage(name, "{}") for name in names]


async def test_one_bad_message_is_refused_and_the_others_of_its_batch_go_out() -> None:
    sns = Sns()

    refused = await bus_over(sns).publish("user-events", messages("a", "bad", "b"))

    assert (refused, sns.published) == ({"bad": "BatchRequestTooLong"}, ["a", "b"])


@pytest.mark.parametrize("code", ["Throttled", "NotFound", "InternalError", "AuthorizationError"])
async def test_what_is_no_fault_of_the_message_is_an_outage(code: str) -> None:
    with pytest.raises(Unavailable):
        await bus_over(Sns(code)).publish("user-events", messages("a", "bad"))


async def test_a_message_the_answer_does_not_name_counts_as_refused() -> None:
    sns = Sns()
    sns.forgets = {"b"}

    refused = await bus_over(sns).publish("user-events", messages("a", "b"))

    assert list(refused) == ["b"]
