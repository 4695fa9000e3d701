"""Mails about reviews."""

from typing import Final

from common_lib.events.catalog import ReviewApproved, ReviewEvent, ReviewRejected
from notification_service.services.mails.layout import (
    House,
    Kinds,
    Notice,
    Values,
    about_member,
)
from notification_service.services.mails.words import one_line


def _approved(event: ReviewApproved, house: House) -> Notice:
    values = {**_about(event), "preheader": "Everybody can read it now."}
    return about_member("review_approved", "Your review is online", event, house, values)


def _rejected(event: ReviewRejected, house: House) -> Notice:
    values = {
        **_about(event),
        "note": one_line(event.note, 500),
        "preheader": "It is not shown as it is.",
    }
    return about_member("review_rejected", "About your review", event, house, values)


def _about(event: ReviewEvent) -> Values:
    product = one_line(event.product_name, 200)
    reason = f"You get this mail because you wrote a review of {product}."
    return {"product": product, "reason": reason}


KINDS: Final[Kinds] = {ReviewApproved: _approved, ReviewRejected: _rejected}
