"""The parts in containers, where an engine answers; the processes stay native."""

from shop.stack.layout import Layout
from shop.stack.native import NativeStack
from shop.stack.progress import Progress


def stack_for(layout: Layout, progress: Progress) -> NativeStack:
    return NativeStack(layout, progress)
