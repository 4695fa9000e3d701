"""What callers are answered where nothing else is said, whatever else a matrix knows of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from tests.rights.answers import (
    EXPIRED_TOKEN,
    FORGED_TOKEN,
    NO_TOKEN,
    SEES,
    WRONG_ROLE,
    WRONG_TYPE,
    Answer,
)

ActorType = TypeVar("ActorType", bound=StrEnum)


@dataclass(frozen=True)
class Callers(Generic[ActorType]):
    """The callers of a matrix: `people` and `services` are those whose tokens are good.

    Every matrix has ANONYMOUS, FORGED, EXPIRED, ADMIN, EXPIRED_SERVICE and FOREIGN_SERVICE
    besides; `bad` are further tokens of people that open nothing.
    """

    kinds: type[ActorType]
    people: Sequence[ActorType]
    services: Sequence[ActorType]
    bad: Mapping[ActorType, Answer] = field(default_factory=dict)

    @property
    def bad_tokens(self) -> dict[ActorType, Answer]:
        """Tokens that are none of people's, where people are asked for."""
        services = (*self.services, *self._named(EXPIRED_SERVICE=SEES, FOREIGN_SERVICE=SEES))
        return {
            **self._named(FORGED=FORGED_TOKEN, EXPIRED=EXPIRED_TOKEN),
            **self.bad,
            **dict.fromkeys(services, WRONG_TYPE),
        }

    def everybody(self, answer: Answer) -> dict[ActorType, Answer]:
        """P: no token is looked at."""
        return dict.fromkeys(self.kinds, answer)

    def signed_in(self, others: Answer, **named: Answer) -> dict[ActorType, Answer]:
        """Everybody with a token of people is answered so, but for those named."""
        strangers = {**self._named(ANONYMOUS=NO_TOKEN), **self.bad_tokens}
        return strangers | dict.fromkeys(self.people, others) | self._named(**named)

    def administrators(self, **named: Answer) -> dict[ActorType, Answer]:
        """A."""
        return self.signed_in(WRONG_ROLE, **({"ADMIN": SEES} | named))

    def internal(self, *admitted: ActorType) -> dict[ActorType, Answer]:
        """I: of the services, those that are admitted."""
        return (
            self.everybody(WRONG_TYPE)
            | dict.fromkeys(self.services, WRONG_ROLE)
            | self._named(ANONYMOUS=NO_TOKEN)
            | self._named(EXPIRED_SERVICE=EXPIRED_TOKEN, FOREIGN_SERVICE=FORGED_TOKEN)
            | dict.fromkeys(admitted, SEES)
        )

    def _named(self, **answers: Answer) -> dict[ActorType, Answer]:
        return {self.kinds[who]: answer for who, answer in answers.items()}
