"""Who calls, and what each is answered where nothing else is said."""

from enum import StrEnum
from typing import Final

from tests.rights.answers import (
    ENDED,
    EXPIRED_TOKEN,
    FORGED_TOKEN,
    GONE,
    NO_TOKEN,
    SEES,
    WRONG_ROLE,
    WRONG_TYPE,
    Answer,
)


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
    ORDER = "the order service"
    USER = "the user service"
    EXPIRED_SERVICE = "a service with an expired token"
    FOREIGN_SERVICE = "a service with a token for another one"


Answers = dict[Actor, Answer]

PEOPLE: Final = (
    Actor.GUEST,
    Actor.OWNER,
    Actor.OTHER_CUSTOMER,
    Actor.DEMOTED,
    Actor.SELLER,
    Actor.OTHER_SELLER,
    Actor.ADMIN,
)
SERVICES: Final = (
    Actor.CATALOG,
    Actor.ORDER,
    Actor.USER,
    Actor.EXPIRED_SERVICE,
    Actor.FOREIGN_SERVICE,
)
BAD_TOKENS: Final[Answers] = {
    Actor.FORGED: FORGED_TOKEN,
    Actor.EXPIRED: EXPIRED_TOKEN,
    Actor.ENDED: ENDED,
    Actor.REFRESH: WRONG_TYPE,
    **dict.fromkeys(SERVICES, WRONG_TYPE),
}
STRANGERS: Final[Answers] = {Actor.ANONYMOUS: NO_TOKEN, **BAD_TOKENS}


def everybody(answer: Answer) -> Answers:
    """P: a service does not look at a token; the gateway does, but for who comes to get one."""
    return dict.fromkeys(Actor, answer)


def people(others: Answer, **named: Answer) -> Answers:
    """Everybody with a token of people is answered so, but for those named."""
    return STRANGERS | dict.fromkeys(PEOPLE, others) | {Actor[who]: a for who, a in named.items()}


def owner_only(**named: Answer) -> Answers:
    """C: everybody else is told that there is no such thing."""
    return people(GONE, **({"OWNER": SEES} | named))


def owner_or_admin(**named: Answer) -> Answers:
    """C,A."""
    return owner_only(**({"ADMIN": SEES} | named))


def administrators(**named: Answer) -> Answers:
    """A."""
    return people(WRONG_ROLE, **({"ADMIN": SEES} | named))


def services(*admitted: Actor) -> Answers:
    """I: of the services, those that are admitted."""
    known = dict.fromkeys((Actor.CATALOG, Actor.ORDER, Actor.USER), WRONG_ROLE)
    return (
        dict.fromkeys(Actor, WRONG_TYPE)
        | known
        | {Actor.ANONYMOUS: NO_TOKEN, Actor.EXPIRED_SERVICE: EXPIRED_TOKEN}
        | {Actor.FOREIGN_SERVICE: FORGED_TOKEN, Actor.FORGED: WRONG_TYPE}
        | dict.fromkeys(admitted, SEES)
    )
