"""The notification service."""

import common_lib  # noqa: F401 - first of all: it loads libraries without what nobody uses
