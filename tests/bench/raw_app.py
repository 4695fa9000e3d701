"""The least an ASGI server can do: ready bytes for every request.

Usage: python -m tests.bench.raw_app PORT FILE, where FILE holds the body of every answer.
"""

import sys
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send


class RawApp:
    def __init__(self, body: bytes) -> None:
        self._start = {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
            ],
        }
        self._body = {"type": "http.response.body", "body": body}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["type"] == "http":
            await send(self._start)
            await send(self._body)


def main() -> None:
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    uvicorn.run(
        RawApp(file.read_bytes()),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
