"""Who calls, and what each is answered where nothing else is said."""

from enum import StrEnum
from typing import Final

from tests.rights.answers import (
    EXPIRED_TOKEN,
    FORGED_TOKEN,
    GONE,
    NO_TOKEN,
    SEES,
    WRONG_ROLE,
    WRONG_TYPE,
    Answer,
    Refused,
)


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
SERVICES: Final = (Actor.SERVICE, Actor.USER_SERVICE, Actor.EXPIRED_SERVICE, Actor.FOREIGN_SERVICE)
BAD_TOKENS: Final[Answers] = {
    Actor.FORGED: FORGED_TOKEN,
    Actor.EXPIRED: EXPIRED_TOKEN,
    **dict.fromkeys(SERVICES, WRONG_TYPE),
}
STRANGERS: Final[Answers] = {Actor.ANONYMOUS: NO_TOKEN, **BAD_TOKENS}
SHOPPERS: Final = (Actor.GUEST, Actor.CUSTOMER, Actor.OTHER_CUSTOMER, Actor.PENDING)


def everybody(seen: Answer = SEES) -> Answers:
    """P, and a token is not looked at."""
    return dict.fromkeys(Actor, seen)


def readers(seen: Answer = SEES) -> Answers:
    """P, and a token that is sent must be a good one."""
    return everybody(seen) | BAD_TOKENS


def merchants(others: Answer = GONE, suspended: Answer = SEES) -> Answers:
    """S,A: the own things, and an administrator anybody's."""
    return (
        STRANGERS
        | dict.fromkeys(SHOPPERS, WRONG_ROLE)
        | {Actor.SELLER: SEES, Actor.SUSPENDED: suspended, Actor.ADMIN: SEES}
        | {Actor.OTHER_SELLER: others, Actor.STORELESS: others}
    )


def owner_only(*owners: Actor) -> Answers:
    """C, or S by the user: everybody else is told that there is no such thing."""
    return (
        STRANGERS
        | dict.fromkeys(PEOPLE, GONE)
        | {Actor.GUEST: WRONG_ROLE}
        | dict.fromkeys(owners, SEES)
    )


def administrators() -> Answers:
    """A."""
    return STRANGERS | dict.fromkeys(PEOPLE, WRONG_ROLE) | {Actor.ADMIN: SEES}


def collector() -> Answers:
    """I, and of the services the one that exports and erases."""
    return services() | {Actor.SERVICE: WRONG_ROLE, Actor.USER_SERVICE: SEES}


def services() -> Answers:
    """I, and of the services the one that sells."""
    return {
        **dict.fromkeys(Actor, WRONG_TYPE),
        Actor.ANONYMOUS: NO_TOKEN,
        Actor.SERVICE: SEES,
        Actor.USER_SERVICE: WRONG_ROLE,
        Actor.EXPIRED_SERVICE: EXPIRED_TOKEN,
        Actor.FOREIGN_SERVICE: FORGED_TOKEN,
    }
