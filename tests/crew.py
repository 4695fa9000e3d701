"""The shop's ten processes, which rest while tests need its parts alone."""

from shop.stack.layout import PROCESS_NAMES
from shop.stack.native import NativeStack


class Crew:
    """At work they take a twelfth of a core from whoever needs none of them."""

    def __init__(self, stack: NativeStack) -> None:
        self._stack = stack
        self._rests = False

    def rest(self) -> None:
        """End them at once: whatever they were about, no test looks at it any more."""
        if not self._rests:
            for name in PROCESS_NAMES:
                self._stack.kill(name)
            self._rests = True

    def work(self) -> None:
        """Have them running and ready again."""
        if self._rests:
            self._stack.start_processes()
            self._rests = False
