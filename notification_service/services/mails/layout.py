"""What all mails share: the house, the recipient, and the page they are put on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from common_lib.events import Event
from common_lib.events.catalog import MemberEvent
from common_lib.events.orders import OrderEvent
from common_lib.events.users import UserEvent
from common_lib.money import Money
from notification_service.clients import Mail
from notification_service.models import SUBJECT_LENGTH
from notification_service.services.mails.links import without_links
from notification_service.services.mails.words import one_line, price
from notification_service.services.rendering import MailTemplate, template_names

# Whoever is not known to own the address: what was typed with it is not sent there.
NOBODY: Final = "dear customer"


@dataclass(frozen=True, slots=True)
class House:
    """What all mails share."""

    brand: str
    storefront_url: str
    ops_address: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail, and whom and what it is about in the log."""

    mail: Mail
    user_id: UUID | None = None
    order_id: UUID | None = None


Values = dict[str, Any]
Compose = Callable[[Any, House], Notice | None]
Kinds = Mapping[type[Event], Compose]


def load_templates() -> None:
    """Prepare all templates now, so that a broken one stops the start and not a mail."""
    price(Money(amount=0))  # reads the locale's data, which takes 0.1 s
    for name in template_names():
        _template(name)


def about_order(
    template: str, subject: str, event: OrderEvent, house: House, values: Values
) -> Notice:
    shared = {
        "name": one_line(event.full_name),
        "order_number": one_line(event.order_number),
        "order_url": f"{house.storefront_url}/orders/{event.order_id}",
        "reason": f"You get this mail because of your order {one_line(event.order_number)}.",
    }
    mail = make_mail(template, subject, event.email, house, {**shared, **values})
    return Notice(mail, user_id=event.user_id, order_id=event.order_id)


def about_account(
    template: str, subject: str, event: UserEvent, house: House, values: Values
) -> Notice:
    values = {"name": one_line(event.full_name), **values}
    return Notice(make_mail(template, subject, event.email, house, values), user_id=event.user_id)


def about_member(
    template: str,
    subject: str,
    event: MemberEvent,
    house: House,
    values: Values,
    *,
    order_id: UUID | None = None,
) -> Notice:
    """Return the mail to a user whose address was looked up."""
    values = {"name": one_line(event.full_name or ""), **values}
    mail = make_mail(template, subject, event.email or "", house, values)
    return Notice(mail, user_id=event.user_id, order_id=order_id)


def token_link(house: House, page: str, token: str) -> str:
    """Return a link that carries a token behind `#`, which browsers send to no server."""
    return f"{house.storefront_url}/{page}#token={quote(token)}"


def make_mail(name: str, subject: str, recipient: str, house: House, values: Values) -> Mail:
    known = (recipient, house.ops_address, house.brand)
    shown = without_links({**values, "subject": subject}, home=house.storefront_url, known=known)
    template, line = _template(name), one_line(shown["subject"], SUBJECT_LENGTH)
    filled = {
        **shown,
        "name": shown.get("name") or NOBODY,
        "opening": shown.get("name") or NOBODY.capitalize(),
        "subject": line,
        "brand": house.brand,
        "storefront_url": house.storefront_url,
    }
    return Mail(one_line(recipient, 254), line, template.html(filled), template.plain(filled))


@cache
def _template(name: str) -> MailTemplate:
    return MailTemplate.load(name)
