# ruff: noqa: INP001  -- run by its path, a member of no package
"""Health check of a container: exits 0 when the process answers ``GET /readyz`` with 200.

A bare socket on purpose: Compose runs this in every container all the time, and importing
urllib costs four times what the check itself does.
"""

import os
import socket
import sys

TIMEOUT_S = 3.0


def is_ready(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        status = connection.makefile("rb").readline().split(b" ", 2)
    return len(status) > 1 and status[1] == b"200"


if __name__ == "__main__":
    try:
        sys.exit(not is_ready(int(os.environ["SHOP_PORT"])))
    except OSError as error:
        sys.exit(f"not ready: {error}")
