#!/bin/bash
# Creates the event bus of the shop (topics, queues, dead letter queues, subscriptions), its SES
# identities and the bucket of its pictures.
#
# Runs inside LocalStack (mounted into /etc/localstack/init/ready.d, so that a restarted container
# gets its topology back), as a one-shot Compose job, and natively. Safe to run again, also at the
# same time: every call states the wanted end, nothing is created twice.
#
#   AWS_ENDPOINT_URL     http://localhost:4566
#   AWS_DEFAULT_REGION   ap-south-1
#   MAIL_SENDER          noreply@ecommerce.com
#   OPS_ADDRESS          ops@ecommerce.com
#   IMAGE_BUCKET         shop-images
#   INIT_PYTHON          an interpreter with boto3; else LocalStack's own, else python3
set -euo pipefail

localstack_python=/opt/code/localstack/.venv/bin/python
python=${INIT_PYTHON:-}
if [ -z "$python" ]; then
    if [ -x "$localstack_python" ]; then python=$localstack_python; else python=python3; fi
fi

export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://localhost:4566}
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-ap-south-1}
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test}
export AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
export MAIL_SENDER=${MAIL_SENDER:-noreply@ecommerce.com}
export OPS_ADDRESS=${OPS_ADDRESS:-ops@ecommerce.com}
export IMAGE_BUCKET=${IMAGE_BUCKET:-shop-images}

exec "$python" - <<'PYTHON'
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    sys.exit(f"localstack-init: {sys.executable} has no boto3; set INIT_PYTHON to one that has")

ORDERS, USERS, CATALOG = "order-events", "user-events", "catalog-events"
TOPICS = (ORDERS, USERS, CATALOG)
SUBSCRIPTIONS = {
    "notification-queue": (ORDERS, USERS, CATALOG),
    "catalog-queue": (ORDERS, CATALOG, USERS),
    "order-queue": (CATALOG, USERS),
}
# Each queue gets what its consumer acts upon. What nobody here knows goes to the mails, where it
# ends among the dead letters and is seen.
REPRICED = {"eventType": ["PRODUCT_UPDATED", "PRICE_CHANGED", "USER_DELETED"]}
FILTERS = {
    ("order-queue", CATALOG): REPRICED,
    ("order-queue", USERS): REPRICED,
    ("catalog-queue", ORDERS): {
        "eventType": ["ORDER_CREATED", "ORDER_CONFIRMED", "ORDER_CANCELLED"]
    },
    # What changes a product as search sees it.
    ("catalog-queue", CATALOG): {
        "eventType": ["PRODUCT_CREATED", "PRODUCT_UPDATED", "OUT_OF_STOCK", "BACK_IN_STOCK"]
    },
    ("catalog-queue", USERS): {"eventType": ["USER_DELETED"]},
    # Nobody is written to about these.
    ("notification-queue", CATALOG): {
        "eventType": [
            {
                "anything-but": [
                    "BACK_IN_STOCK",
                    "OUT_OF_STOCK",
                    "PRODUCT_CREATED",
                    "PRODUCT_UPDATED",
                ]
            }
        ]
    },
    ("notification-queue", ORDERS): {"eventType": [{"anything-but": ["REFUND_INITIATED"]}]},
    ("notification-queue", USERS): {"eventType": [{"anything-but": ["USER_VERIFIED"]}]},
}
MAX_RECEIVES = 3
PAUSES_S = (1, 3)
VISIBILITY_TIMEOUT_S = 60
LONG_POLL_S = 20
DAY_S = 24 * 60 * 60
QUEUE_RETENTION_S = 4 * DAY_S
# A dead letter keeps the time it was first sent at, so its queue must hold longer than the source.
DEAD_LETTER_RETENTION_S = 14 * DAY_S
# Whoever holds a signed form may post it from any page; pictures are shown anywhere.
IMAGE_CORS = [
    {
        "AllowedOrigins": ["*"],
        "AllowedMethods": ["GET", "HEAD", "POST"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 3600,
    }
]
# What was uploaded and never attached goes after a day.
IMAGE_LIFECYCLE = [
    {
        "ID": "unattached-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": "uploads/"},
        "Expiration": {"Days": 1},
    }
]
PUBLIC_BY_POLICY_ONLY = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}


def client(service, **options):
    config = Config(
        connect_timeout=2, read_timeout=20, retries={"total_max_attempts": 3}, **options
    )
    return boto3.client(service, config=config)


def dead_letter_name(queue):
    return queue.removesuffix("-queue") + "-dlq"


def create_queue(sqs, name, attributes):
    """Returns (url, arn). Attributes are set apart: creating anew with other ones is an error."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, found["Attributes"]["QueueArn"]


def send_policy(queue_arn, topic_arns):
    statement = {
        "Sid": "topics-send",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": sorted(topic_arns)}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def queue_attributes(dead_letter_arn):
    redrive = {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": MAX_RECEIVES}
    return {
        "VisibilityTimeout": str(VISIBILITY_TIMEOUT_S),
        "ReceiveMessageWaitTimeSeconds": str(LONG_POLL_S),
        "MessageRetentionPeriod": str(QUEUE_RETENTION_S),
        "RedrivePolicy": json.dumps(redrive),
    }


def create_queue_with_dead_letters(sqs, name, topic_arns):
    dead_letters = {
        "MessageRetentionPeriod": str(DEAD_LETTER_RETENTION_S),
        "ReceiveMessageWaitTimeSeconds": str(LONG_POLL_S),
    }
    _, dead_letter_arn = create_queue(sqs, dead_letter_name(name), dead_letters)
    url, arn = create_queue(sqs, name, queue_attributes(dead_letter_arn))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": send_policy(arn, topic_arns)})
    return arn


def existing_subscription(sns, topic_arn, queue_arn):
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn):
        for subscription in page["Subscriptions"]:
            if subscription["Endpoint"] == queue_arn:
                return subscription["SubscriptionArn"]
    return None


def subscribe(sns, topic_arn, queue_arn, filter_policy):
    """Subscribes raw from the first message on; an existing subscription is only corrected."""
    wanted = {"RawMessageDelivery": "true"}
    if filter_policy is not None:
        wanted |= {
            "FilterPolicyScope": "MessageAttributes",
            "FilterPolicy": json.dumps(filter_policy),
        }
    arn = existing_subscription(sns, topic_arn, queue_arn)
    if arn is None:
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes=wanted)
        return
    correct_subscription(sns, arn, wanted)


def correct_subscription(sns, arn, wanted):
    """Sets what differs, and drops a filter that is no longer wanted."""
    found = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    if "FilterPolicy" in found and "FilterPolicy" not in wanted:
        wanted = wanted | {"FilterPolicy": "{}"}
    for name, value in wanted.items():
        if found.get(name) != value:
            sns.set_subscription_attributes(
                SubscriptionArn=arn, AttributeName=name, AttributeValue=value
            )


def build_bus():
    sns, sqs = client("sns"), client("sqs")
    topic_arns = {name: sns.create_topic(Name=name)["TopicArn"] for name in TOPICS}
    for queue, topics in SUBSCRIPTIONS.items():
        sources = [topic_arns[topic] for topic in topics]
        queue_arn = create_queue_with_dead_letters(sqs, queue, sources)
        for topic in topics:
            subscribe(sns, topic_arns[topic], queue_arn, FILTERS.get((queue, topic)))


def verify_identities(addresses):
    ses = client("ses")
    for address in addresses:
        ses.verify_email_identity(EmailAddress=address)


def public_pictures_policy(bucket):
    """Anybody may see a checked picture; nobody what was only uploaded."""
    statement = {
        "Sid": "pictures-are-public",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/products/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def create_bucket(s3, bucket):
    region = {"LocationConstraint": os.environ["AWS_DEFAULT_REGION"]}
    try:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=region)
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass


def build_bucket(bucket):
    s3 = client("s3", s3={"addressing_style": "path"})
    create_bucket(s3, bucket)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=PUBLIC_BY_POLICY_ONLY)
    s3.put_bucket_policy(Bucket=bucket, Policy=public_pictures_policy(bucket))
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": IMAGE_CORS})
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": IMAGE_LIFECYCLE}
    )


def build_bus_and_identities(identities):
    """One after the other: SES and SNS import each other when LocalStack first loads them."""
    build_bus()
    verify_identities(identities)


def build(identities, bucket):
    # Apart, because LocalStack loads each service at its first call.
    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(build_bus_and_identities, identities),
            pool.submit(build_bucket, bucket),
        ]
        for job in jobs:
            job.result()


def build_again_if_it_stumbles(identities, bucket):
    """A LocalStack that is still loading may answer a first call with InternalError."""
    for pause_s in PAUSES_S:
        try:
            return build(identities, bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise
            time.sleep(pause_s)
    return build(identities, bucket)


def main():
    identities = sorted({os.environ["MAIL_SENDER"], os.environ["OPS_ADDRESS"]})
    build_again_if_it_stumbles(identities, os.environ["IMAGE_BUCKET"])
    print(
        f"localstack-init: complete: {len(TOPICS)} topics, {len(SUBSCRIPTIONS)} queues, "
        f"{len(SUBSCRIPTIONS)} dead letter queues, {len(identities)} SES identities, 1 bucket"
    )


try:
    main()
except (BotoCoreError, ClientError) as error:
    sys.exit(f"localstack-init: failed at {os.environ['AWS_ENDPOINT_URL']}: {error}")
PYTHON
