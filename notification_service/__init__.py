"""The notification service."""

import common_lib

common_lib.load_without_extras()
