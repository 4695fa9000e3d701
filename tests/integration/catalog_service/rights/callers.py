"""Who calls, and what each is answered where nothing else is said."""

from enum import StrEnum
from typing import Final

from tests.rights.answers import GONE, NO_TOKEN, SEES, WRONG_ROLE, Answer, Refused
from tests.rights.callers import Callers


class Actor(StrEnum):
    """Who calls. The pending and the suspended owner act on what their own store has."""

    ANONYMOUS = "nobody"
    FORGED = "a token signed by somebody else"
    EXPIRED = "an expired token"
    GUEST = "a guest"
    CUSTOMER = "the customer it belongs to"
    OTHER_CUSTOMER = "another customer"
    SELLER = "the seller it belongs to"
    OTHER_SELLER = "another seller"
    STORELESS = "a seller without a store"
    PENDING = "the owner of a pending store, still a customer"
    SUSPENDED = "the owner of a suspended store"
    ADMIN = "an administrator"
    SERVICE = "the order service"
    USER_SERVICE = "the user service"
    EXPIRED_SERVICE = "a service with an expired token"
    FOREIGN_SERVICE = "a service with a token for another one"


Answers = dict[Actor, Answer]

NO_STORE: Final = Refused(403, "seller_not_active")

PEOPLE: Final = tuple(Actor)[tuple(Actor).index(Actor.GUEST) : tuple(Actor).index(Actor.SERVICE)]
CALLERS: Final = Callers(Actor, people=PEOPLE, services=(Actor.SERVICE, Actor.USER_SERVICE))
BAD_TOKENS: Final = CALLERS.bad_tokens
STRANGERS: Final[Answers] = {Actor.ANONYMOUS: NO_TOKEN, **BAD_TOKENS}

administrators = CALLERS.administrators


def everybody(seen: Answer = SEES) -> Answers:
    """P, and a token is not looked at."""
    return CALLERS.everybody(seen)


def readers(seen: Answer = SEES) -> Answers:
    """P, and a token that is sent must be a good one."""
    return everybody(seen) | BAD_TOKENS


def merchants(others: Answer = GONE, suspended: Answer = SEES) -> Answers:
    """S,A: the own things, and an administrator anybody's."""
    return CALLERS.signed_in(
        WRONG_ROLE,
        SELLER=SEES,
        SUSPENDED=suspended,
        ADMIN=SEES,
        OTHER_SELLER=others,
        STORELESS=others,
    )


def owner_only(*owners: Actor) -> Answers:
    """C, or S by the user: everybody else is told that there is no such thing."""
    return CALLERS.signed_in(GONE, GUEST=WRONG_ROLE) | dict.fromkeys(owners, SEES)


def collector() -> Answers:
    """I, and of the services the one that exports and erases."""
    return CALLERS.internal(Actor.USER_SERVICE)


def services() -> Answers:
    """I, and of the services the one that sells."""
    return CALLERS.internal(Actor.SERVICE)
