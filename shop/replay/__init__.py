"""Published events, published again: what a bus that lost its memory can no longer deliver."""

from shop.replay.command import run
from shop.replay.events import Replayed, replay

__all__ = ["Replayed", "replay", "run"]
