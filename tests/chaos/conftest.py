"""After each test the stack is whole again: nothing armed, nothing dead."""

from collections.abc import Iterator

import pytest

from shop.stack.native import NativeStack


@pytest.fixture
def whole(stack: NativeStack) -> Iterator[NativeStack]:
    yield stack
    for name in stack.part_names():
        if name not in stack.running():
            stack.start_part(name)
    stack.start_processes()
