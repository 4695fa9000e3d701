"""Who calls, and what each is answered where nothing else is said."""

from enum import StrEnum
from typing import Final

from tests.rights.answers import ENDED, GONE, SEES, WRONG_TYPE, Answer
from tests.rights.callers import Callers


class Actor(StrEnum):
    ANONYMOUS = "nobody"
    FORGED = "a token signed by somebody else"
    EXPIRED = "an expired token"
    ENDED = "the owner, of a session that was ended"
    REFRESH = "the owner's refresh token"
    GUEST = "a guest"
    OWNER = "the customer it belongs to"
    OTHER_CUSTOMER = "another customer"
    DEMOTED = "who was an administrator until a second ago"
    SELLER = "the seller whose goods it is about"
    OTHER_SELLER = "another seller"
    ADMIN = "an administrator"
    CATALOG = "the catalog service"
    NOTIFICATION = "the notification service"
    ORDER = "the order service"
    USER = "the user service"
    EXPIRED_SERVICE = "a service with an expired token"
    FOREIGN_SERVICE = "a service with a token for another one"


Answers = dict[Actor, Answer]

CALLERS: Final = Callers(
    Actor,
    people=(
        Actor.GUEST,
        Actor.OWNER,
        Actor.OTHER_CUSTOMER,
        Actor.DEMOTED,
        Actor.SELLER,
        Actor.OTHER_SELLER,
        Actor.ADMIN,
    ),
    services=(Actor.CATALOG, Actor.NOTIFICATION, Actor.ORDER, Actor.USER),
    bad={Actor.ENDED: ENDED, Actor.REFRESH: WRONG_TYPE},
)
SERVICES: Final = (*CALLERS.services, Actor.EXPIRED_SERVICE, Actor.FOREIGN_SERVICE)
BAD_TOKENS: Final = CALLERS.bad_tokens

# P: a service does not look at a token; the gateway does, but for who comes to get one.
everybody = CALLERS.everybody
people = CALLERS.signed_in
administrators = CALLERS.administrators
services = CALLERS.internal


def owner_only(**named: Answer) -> Answers:
    """C: everybody else is told that there is no such thing."""
    return people(GONE, **({"OWNER": SEES} | named))


def owner_or_admin(**named: Answer) -> Answers:
    """C,A."""
    return owner_only(**({"ADMIN": SEES} | named))
