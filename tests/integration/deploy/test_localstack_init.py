"""localstack-init.sh against a real LocalStack: the topology, and that it can be run again.

The script runs in an account of its own, which LocalStack reads from the access key: beside the
topology of the stack that the other tests use, and as empty as on a first start.
"""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

import catalog_service.consumers as catalog
from common_lib.events import Event
from common_lib.events.catalog import ProductUpdated
from common_lib.events.envelope import _EVENT_CLASSES
from common_lib.events.users import UserDeleted
from notification_service.services import mails
from shop.stack.native import NativeStack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ses import SESClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

pytestmark = pytest.mark.enable_socket

SCRIPT = Path(__file__).resolve().parents[3] / "localstack-init.sh"
REGION = "ap-south-1"
ACCOUNT = "000000000042"
# The names of buckets are common to all accounts.
BUCKET = "shop-images-42"
COMPLETION_LINE = (
    "localstack-init: complete: 3 topics, 3 queues, 3 dead letter queues, 2 SES identities,"
    " 1 bucket"
)
FANOUT = {
    "notification-queue": {"order-events", "user-events", "catalog-events"},
    "catalog-queue": {"order-events", "catalog-events", "user-events"},
    "order-queue": {"catalog-events", "user-events"},
}
DEAD_LETTERS = {
    "notification-queue": "notification-dlq",
    "catalog-queue": "catalog-dlq",
    "order-queue": "order-dlq",
}


def last_part(arn_or_url: str) -> str:
    return arn_or_url.replace("/", ":").rsplit(":", 1)[1]


class Account:
    """The topology of one account, read back through the AWS API."""

    def __init__(self, endpoint_url: str) -> None:
        self.environment = {
            **os.environ,
            "INIT_PYTHON": sys.executable,
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "IMAGE_BUCKET": BUCKET,
        }
        session = boto3.Session(ACCOUNT, "test", region_name=REGION)
        self.sns: SNSClient = session.client("sns", endpoint_url=endpoint_url)
        self.sqs: SQSClient = session.client("sqs", endpoint_url=endpoint_url)
        self.ses: SESClient = session.client("ses", endpoint_url=endpoint_url)
        self.s3: S3Client = session.client("s3", endpoint_url=endpoint_url)

    def run_script(self, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(SCRIPT)],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def publish(self, topic: str, event_type: str) -> None:
        self.sns.publish(
            TopicArn=self.sns.create_topic(Name=topic)["TopicArn"],
            Message=json.dumps({"eventType": event_type}),
            MessageAttributes={"eventType": {"DataType": "String", "StringValue": event_type}},
        )

    def topics(self) -> set[str]:
        return {last_part(topic["TopicArn"]) for topic in self.sns.list_topics()["Topics"]}

    def queues(self) -> dict[str, dict[str, str]]:
        urls = self.sqs.list_queues().get("QueueUrls", [])
        return {last_part(url): self.queue(last_part(url)) for url in urls}

    def queue(self, name: str) -> dict[str, str]:
        found = self.sqs.get_queue_attributes(QueueUrl=self.url(name), AttributeNames=["All"])
        return {str(key): value for key, value in found["Attributes"].items()}

    def url(self, name: str) -> str:
        return self.sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def subscriptions(self) -> dict[tuple[str, str], Mapping[str, str]]:
        """Attributes by (topic, queue)."""
        arns = [one["SubscriptionArn"] for one in self.sns.list_subscriptions()["Subscriptions"]]
        each = [self.sns.get_subscription_attributes(SubscriptionArn=arn) for arn in arns]
        found = [one["Attributes"] for one in each]
        return {(last_part(one["TopicArn"]), last_part(one["Endpoint"])): one for one in found}

    def everything(self) -> dict[str, Any]:
        return {
            "topics": self.topics(),
            "queues": {name: settings_of(queue) for name, queue in self.queues().items()},
            "subscriptions": self.subscriptions(),
            "identities": sorted(self.ses.list_identities()["Identities"]),
            "bucket": self.bucket(),
        }

    def bucket(self) -> dict[str, Any]:
        return {
            "names": [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]],
            "policy": json.loads(self.s3.get_bucket_policy(Bucket=BUCKET)["Policy"]),
            "cors": self.s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"],
            "lifecycle": self.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"],
        }

    def delete_everything(self) -> None:
        for subscription in self.sns.list_subscriptions()["Subscriptions"]:
            self.sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        for topic in self.sns.list_topics()["Topics"]:
            self.sns.delete_topic(TopicArn=topic["TopicArn"])
        for url in self.sqs.list_queues().get("QueueUrls", []):
            self.sqs.delete_queue(QueueUrl=url)
        for identity in self.ses.list_identities()["Identities"]:
            self.ses.delete_identity(Identity=identity)
        self.s3.delete_bucket(Bucket=BUCKET)


def settings_of(queue: Mapping[str, str]) -> dict[str, str]:
    """Leave out what changes by itself: how many messages there are, and when it was touched."""
    passing = ("Approximate", "LastModified")
    return {key: value for key, value in queue.items() if not key.startswith(passing)}


@pytest.fixture(scope="module")
def account(parts: NativeStack) -> Iterator[Account]:
    """Yield an account in which the script has run once."""
    account = Account(parts.layout.aws_endpoint_url)
    finished = account.run_script()
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == [COMPLETION_LINE]
    yield account
    account.delete_everything()


def test_three_topics_and_three_queues_with_their_dead_letter_queues_exist(
    account: Account,
) -> None:
    assert account.topics() == {"order-events", "user-events", "catalog-events"}
    assert set(account.queues()) == {*DEAD_LETTERS, *DEAD_LETTERS.values()}


@pytest.mark.parametrize(("name", "dead_letters"), DEAD_LETTERS.items())
def test_a_message_goes_to_the_dead_letters_after_three_receives(
    account: Account, name: str, dead_letters: str
) -> None:
    queue = account.queue(name)
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": account.queue(dead_letters)["QueueArn"],
        "maxReceiveCount": 3,
    }
    assert queue["VisibilityTimeout"] == "60"
    assert queue["ReceiveMessageWaitTimeSeconds"] == "20"


@pytest.mark.parametrize(("name", "dead_letters"), DEAD_LETTERS.items())
def test_dead_letters_are_kept_longer_than_messages(
    account: Account, name: str, dead_letters: str
) -> None:
    kept_s = int(account.queue(name)["MessageRetentionPeriod"])
    assert int(account.queue(dead_letters)["MessageRetentionPeriod"]) > kept_s


def test_topics_fan_out_raw_to_their_queues_and_to_no_other(account: Account) -> None:
    subscriptions = account.subscriptions()
    assert set(subscriptions) == {(t, queue) for queue, topics in FANOUT.items() for t in topics}
    assert {each["RawMessageDelivery"] for each in subscriptions.values()} == {"true"}


def all_events() -> set[type[Event]]:
    return {kind for kind in _EVENT_CLASSES.values() if kind.__module__.startswith("common_lib.")}


# Erased people are forgotten by the mails' log, too.
ACTED_UPON: Mapping[str, Collection[type[Event]]] = {
    "notification-queue": {*mails.KINDS, UserDeleted},
    "catalog-queue": catalog.HANDLED,
    "order-queue": {ProductUpdated, UserDeleted},
}


def is_let_through(policy: Mapping[str, Any], event_type: str) -> bool:
    """Judge as SNS does (https://docs.aws.amazon.com/sns/latest/dg/string-value-matching.html)."""
    if not policy:
        return True
    (rule, *more) = policy["eventType"]
    if isinstance(rule, str):
        return event_type in (rule, *more)
    return event_type not in rule["anything-but"]


@pytest.mark.parametrize("queue", FANOUT)
def test_a_queue_gets_exactly_the_events_its_consumer_acts_upon(
    account: Account, queue: str
) -> None:
    subscriptions = account.subscriptions()
    got = {
        kind
        for kind in all_events()
        if (kind.topic.value, queue) in subscriptions
        and is_let_through(
            json.loads(subscriptions[kind.topic.value, queue].get("FilterPolicy", "{}")),
            kind.event_type,
        )
    }
    assert got == set(ACTED_UPON[queue])


@pytest.mark.parametrize("topic", sorted(FANOUT["notification-queue"]))
def test_an_event_nobody_knows_is_seen_among_the_dead_letters(account: Account, topic: str) -> None:
    attributes = account.subscriptions()[topic, "notification-queue"]
    assert is_let_through(json.loads(attributes.get("FilterPolicy", "{}")), "NO_SUCH_EVENT")


@pytest.mark.parametrize(("queue", "topics"), FANOUT.items())
def test_only_its_topics_may_send_to_a_queue(
    account: Account, queue: str, topics: set[str]
) -> None:
    (statement,) = json.loads(account.queue(queue)["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    sources = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert {last_part(source) for source in sources} == topics


def test_sender_and_ops_are_verified(account: Account) -> None:
    addresses = ["noreply@ecommerce.com", "ops@ecommerce.com"]
    found = account.ses.get_identity_verification_attributes(Identities=addresses)
    states = {a: found["VerificationAttributes"][a]["VerificationStatus"] for a in addresses}
    assert states == dict.fromkeys(addresses, "Success")


def test_only_checked_pictures_are_public(account: Account) -> None:
    bucket = account.bucket()
    assert bucket["names"] == [BUCKET]
    (statement,) = bucket["policy"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "s3:GetObject")
    assert statement["Resource"] == f"arn:aws:s3:::{BUCKET}/products/*"


def test_uploads_that_nobody_attached_go_after_a_day(account: Account) -> None:
    (rule,) = account.bucket()["lifecycle"]
    assert rule["Status"] == "Enabled"
    assert rule["Filter"] == {"Prefix": "uploads/"}
    assert rule["Expiration"] == {"Days": 1}


def test_a_browser_may_post_an_upload_from_any_page(account: Account) -> None:
    (rule,) = account.bucket()["cors"]
    assert rule["AllowedOrigins"] == ["*"]
    assert "POST" in rule["AllowedMethods"]


def test_an_event_passes_the_filter_and_arrives_as_it_was_sent(account: Account) -> None:
    account.publish("catalog-events", "PRODUCT_CREATED")
    account.publish("catalog-events", "PRODUCT_UPDATED")

    received = account.sqs.receive_message(
        QueueUrl=account.url("order-queue"), WaitTimeSeconds=5, MaxNumberOfMessages=10
    )

    assert [json.loads(message["Body"]) for message in received["Messages"]] == [
        {"eventType": "PRODUCT_UPDATED"}
    ]


def test_a_second_run_changes_nothing(account: Account) -> None:
    before = account.everything()

    finished = account.run_script()

    assert finished.stdout.splitlines() == [COMPLETION_LINE]
    assert account.everything() == before


def test_a_run_puts_right_what_was_changed_by_hand(account: Account) -> None:
    before = account.everything()
    damage(account)
    assert account.everything() != before

    assert account.run_script().returncode == 0

    assert account.everything() == before


def damage(account: Account) -> None:
    account.sqs.set_queue_attributes(
        QueueUrl=account.url("catalog-queue"), Attributes={"VisibilityTimeout": "1"}
    )
    for subscription in account.sns.list_subscriptions()["Subscriptions"]:
        account.sns.set_subscription_attributes(
            SubscriptionArn=subscription["SubscriptionArn"],
            AttributeName="RawMessageDelivery",
            AttributeValue="false",
        )
    account.s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET,
        LifecycleConfiguration={
            "Rules": [{"Status": "Disabled", "Filter": {"Prefix": "products/"}, "ID": "wrong"}]
        },
    )


def test_addresses_come_from_the_environment(account: Account) -> None:
    assert (
        account.run_script(MAIL_SENDER="a@shop.example", OPS_ADDRESS="b@shop.example").returncode
        == 0
    )
    assert {"a@shop.example", "b@shop.example"} <= set(account.ses.list_identities()["Identities"])


def test_an_endpoint_that_does_not_answer_is_named(account: Account) -> None:
    finished = account.run_script(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr.startswith("localstack-init: failed at http://127.0.0.1:9: ")


def test_an_interpreter_without_boto3_is_named(account: Account, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    finished = account.run_script(INIT_PYTHON=str(python))
    assert finished.returncode == 1
    assert "has no boto3; set INIT_PYTHON" in finished.stderr
