"""SNS and SQS behind four verbs: publish, receive, delete, extend."""

import contextlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from common_lib.errors import Unavailable
from common_lib.settings import ServiceSettings

log = structlog.get_logger(__name__)

# The AWS libraries are loaded by the processes that open a bus: every service imports this module
# for its outbox, and they cost 20 MB and a third of a second of CPU at start.

# The services' own limit for a batch: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
MAX_BATCH: Final = 10
BUS_FAILURES: Final = (BotoCoreError, ClientError, OSError, TimeoutError)
# Refusals of what was sent, whatever the state of the service: a later try ends the same way.
_MESSAGE_FAULTS: Final = frozenset(
    {
        "BatchRequestTooLong",
        "InvalidParameter",
        "InvalidParameterValue",
        "ParameterValueInvalid",
        "ValidationError",
        "ValidationException",
    }
)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A body and its string attributes; `entry_id` names it in the answer of the batch."""

    entry_id: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    body: str
    receipt: str
    attributes: Mapping[str, str]
    receive_count: int


def aws_client_arguments(settings: ServiceSettings) -> dict[str, Any]:
    """Return the arguments for any AWS client of this deployment; empty ones fall to the chain."""
    secret = settings.aws_secret_access_key
    return {
        "region_name": settings.aws_region,
        "endpoint_url": settings.aws_endpoint_url,
        "aws_access_key_id": settings.aws_access_key_id,
        "aws_secret_access_key": secret.get_secret_value() if secret else None,
    }


def aws_client_config(
    *, read_timeout_s: float, connect_timeout_s: float = 2, max_connections: int = 32
) -> Any:
    """Return time-outs and a single attempt: retries belong to the caller's one layer."""
    return importlib.import_module("aiobotocore.config").AioConfig(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        max_pool_connections=max_connections,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )


class Bus:
    """One long-lived client each for SNS and SQS. Every verb raises Unavailable if AWS is away."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._stack = contextlib.AsyncExitStack()
        self._queue_urls: dict[str, str] = {}
        self._sns: Any = None
        self._sqs: Any = None

    async def __aenter__(self) -> Self:
        session = importlib.import_module("common_lib.bus.sessions").new_session()
        arguments = aws_client_arguments(self._settings)
        self._sns = await self._stack.enter_async_context(
            session.client("sns", **arguments, config=aws_client_config(read_timeout_s=5))
        )
        self._sqs = await self._stack.enter_async_context(
            session.client("sqs", **arguments, config=aws_client_config(read_timeout_s=30))
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def publish(self, topic: str, messages: Sequence[OutgoingMessage]) -> dict[str, str]:
        """Publish at most ten messages; return the refused entries with their reason.

        SNS refuses a whole batch for one unacceptable entry; each is then sent alone.
        """
        try:
            return await self._publish_batch(topic, messages)
        except Unavailable as error:
            fault = _fault_of_message(error.__cause__)
            if fault is None:
                raise
        if len(messages) == 1:
            return {messages[0].entry_id: fault}
        refused: dict[str, str] = {}
        for message in messages:
            refused |= await self.publish(topic, [message])
        return refused

    async def _publish_batch(
        self, topic: str, messages: Sequence[OutgoingMessage]
    ) -> dict[str, str]:
        with _translated("sns"):
            answer = await self._sns.publish_batch(
                TopicArn=self.topic_arn(topic),
                PublishBatchRequestEntries=[_entry(message) for message in messages],
            )
        accepted = {entry["Id"] for entry in answer.get("Successful", ())}
        reasons = {entry["Id"]: entry.get("Code", "failed") for entry in answer.get("Failed", ())}
        return {
            message.entry_id: reasons.get(message.entry_id, "unanswered")
            for message in messages
            if message.entry_id not in accepted
        }

    async def receive(
        self, queue: str, *, wait_s: int = 20, max_messages: int = MAX_BATCH, visibility_s: int = 60
    ) -> list[ReceivedMessage]:
        """Long-poll for messages; they stay invisible to others for `visibility_s`."""
        with _translated("sqs"):
            answer = await self._sqs.receive_message(
                QueueUrl=await self._queue_url(queue),
                MaxNumberOfMessages=max_messages,
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=visibility_s,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [_received(message) for message in answer.get("Messages", ())]

    async def delete(self, queue: str, receipts: Sequence[str]) -> None:
        """Delete what was handled; an entry that fails comes again and is dropped by the inbox."""
        url = await self._queue_url(queue)
        for start in range(0, len(receipts), MAX_BATCH):
            batch = receipts[start : start + MAX_BATCH]
            entries = [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(batch)]
            with _translated("sqs"):
                await self._sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    async def extend(self, queue: str, receipt: str, seconds: int) -> None:
        """Keep a message invisible for `seconds` from now; zero gives it back at once."""
        with _translated("sqs"):
            await self._sqs.change_message_visibility(
                QueueUrl=await self._queue_url(queue),
                ReceiptHandle=receipt,
                VisibilityTimeout=seconds,
            )

    async def ping(self) -> None:
        with _translated("sqs"):
            await self._sqs.list_queues(MaxResults=1)

    def topic_arn(self, topic: str) -> str:
        return f"arn:aws:sns:{self._settings.aws_region}:{self._settings.aws_account_id}:{topic}"

    async def _queue_url(self, queue: str) -> str:
        if queue not in self._queue_urls:
            with _translated("sqs"):
                answer = await self._sqs.get_queue_url(QueueName=queue)
            self._queue_urls[queue] = answer["QueueUrl"]
        return self._queue_urls[queue]


@contextlib.contextmanager
def _translated(service: str) -> Any:
    try:
        yield
    except BUS_FAILURES as error:
        log.warning("bus.unavailable", part=service, error=type(error).__name__)
        raise Unavailable(f"{service} does not answer") from error


def _fault_of_message(error: BaseException | None) -> str | None:
    """Return the code of a refusal that is the message's own fault, else None."""
    code = str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else None
    return code if code in _MESSAGE_FAULTS else None


def _entry(message: OutgoingMessage) -> dict[str, Any]:
    attributes = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in message.attributes.items()
    }
    return {"Id": message.entry_id, "Message": message.body, "MessageAttributes": attributes}


def _received(message: Mapping[str, Any]) -> ReceivedMessage:
    attributes = {
        name: attribute.get("StringValue", "")
        for name, attribute in message.get("MessageAttributes", {}).items()
    }
    return ReceivedMessage(
        body=message["Body"],
        receipt=message["ReceiptHandle"],
        attributes=attributes,
        receive_count=int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
    )
