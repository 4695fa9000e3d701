"""The way of an event from its commit to the mail, and what goes along with it."""

from typing import Final

from tests.proofs.fault import Fault

_CONSUMER: Final = "common_lib/consumer.py"
_INIT: Final = "localstack-init.sh"
_NOTIFICATIONS: Final = "notification_service/services/notifications.py"

FAULTS: Final = (
    Fault(
        (140, 160),
        _CONSUMER,
        'trace = message.attributes.get("traceparent")',
        "trace = None",
    ),
    Fault((140,), "common_lib/telemetry/__init__.py", 'f"00-', 'f"01-'),
    Fault(
        (58,),
        "common_lib/outbox.py",
        "await self._bus.publish(batch[0].topic, messages) if messages else {}",
        "dict[str, str]()",
    ),
    Fault(
        (59,),
        _INIT,
        'wanted = {"RawMessageDelivery": "true"}',
        'wanted = {"RawMessageDelivery": "false"}',
    ),
    Fault(
        (85,),
        _INIT,
        '"notification-queue": (ORDERS, USERS, CATALOG)',
        '"notification-queue": (ORDERS, USERS)',
    ),
    Fault(
        (89, 146), _INIT, '"catalog-queue": (ORDERS, CATALOG, USERS)', '"goods-queue": (ORDERS,)'
    ),
    Fault((145,), _INIT, '"catalog-events"', '"goods-events"'),
    Fault((147,), _INIT, "MAX_RECEIVES = 3", "MAX_RECEIVES = 30"),
    Fault(
        (166,), _INIT, "s3.exceptions.BucketAlreadyOwnedByYou", "s3.exceptions.BucketAlreadyExists"
    ),
    Fault(
        (60, 104, 144),
        "notification_service/consumers.py",
        "await notifications.notify_all(letters)",
        "return",
    ),
    Fault(
        (61, 154),
        "notification_service/clients.py",
        '{"ToAddresses": [mail.recipient]}',
        '{"ToAddresses": [self._settings.mail_sender]}',
    ),
    Fault(
        (62,),
        _NOTIFICATIONS,
        "row.sent(now(), message_id)",
        'row.failed(now(), "", NotificationStatus.PENDING)',
    ),
    Fault(
        (87,),
        _NOTIFICATIONS,
        "if row.status is NotificationStatus.SENT:\n                    continue",
        "if row.status is NotificationStatus.DLQ:\n                    continue",
    ),
    Fault(
        (88, 117),
        _CONSUMER,
        "is_done = False\n            again_s = min(",
        "is_done = True\n            again_s = min(",
    ),
    Fault(
        (90,),
        "catalog_service/consumers.py",
        "setdefault(event.reservation_id, ReservationStatus.COMMITTED)",
        "setdefault(event.reservation_id, ReservationStatus.HELD)",
    ),
)
