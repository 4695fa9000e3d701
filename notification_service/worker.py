"""The notification service's worker: drains the queue into SES, watches the dead letters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from common_lib.auth import KeyRing, ServiceTokens
from common_lib.bus import Bus
from common_lib.consumer import Consumer
from common_lib.database import Database
from common_lib.http_client import HttpClient
from common_lib.pools import ensure_pools_fit
from common_lib.runtime import Check, Worker, every, run_worker
from common_lib.settings.start import told_plainly
from notification_service.clients import MailSender, People
from notification_service.consumers import QUEUE, dead_letter_watch, mail_process
from notification_service.services.mails import House, load_templates
from notification_service.services.notifications import Notifications
from notification_service.settings import NAME, Settings


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Worker]:
    """Yield the worker's parts; they are closed afterwards."""
    load_templates()
    database = Database(settings)
    services = ServiceTokens(KeyRing(settings.service_token_key_file), NAME)
    users = HttpClient("user-service", settings.user_url, timeout_s=2, tokens=services)
    async with Bus(settings) as bus, MailSender(settings) as sender:
        lease = timedelta(seconds=settings.mail_lease_s)
        notifications = Notifications(
            database, sender, lease, settings.mails_at_once, timedelta(seconds=settings.patience_s)
        )
        house = House(settings.brand, settings.storefront_url, settings.ops_address)
        consumer = Consumer(
            bus,
            QUEUE,
            mail_process(notifications, house, People(users)),
            wait_s=settings.consumer_wait_s,
            visibility_s=settings.consumer_visibility_s,
        )
        watch = dead_letter_watch(bus, notifications)
        checks = {
            "database": Check(database.ping),
            "bus": Check(bus.ping),
            "ses": Check(sender.ping, is_required=False),
        }
        components = {
            "mails": consumer.run,
            "dead-letters": every(settings.dead_letter_check_s, watch),
        }
        try:
            yield Worker(components, checks)
        finally:
            await users.close()
            await database.close()


def main() -> None:
    with told_plainly():
        settings = Settings()
        ensure_pools_fit(settings)
        run_worker(settings, "notification-worker", lambda: build(settings))


if __name__ == "__main__":
    main()
