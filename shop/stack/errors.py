"""What can go wrong with the local stack, always told as a cause and a fix."""


class StackError(Exception):
    """The stack cannot do what was asked; ``cause`` and ``fix`` are each one line."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(f"{cause}. Fix: {fix}")
        self.cause = cause
        self.fix = fix
