"""Which of the two stacks a command is about: with Docker or without."""

from collections.abc import Callable, Mapping

from shop.stack.errors import StackError
from shop.stack.memory import Kind

VARIABLE = "STACK"


def choose(
    environment: Mapping[str, str], remembered: Kind | None, engine_answers: Callable[[], bool]
) -> Kind:
    """Decide: what STACK forces, else the one that was brought up, else Docker if it answers."""
    forced = environment.get(VARIABLE, "").strip().lower()
    if forced:
        return _parse(forced)
    if remembered is not None:
        return remembered
    return Kind.DOCKER if engine_answers() else Kind.NATIVE


def _parse(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise StackError(
            f"{VARIABLE} must be native or docker, but is {text!r}", f"unset {VARIABLE}"
        ) from None
