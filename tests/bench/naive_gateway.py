"""A gateway as tutorials build it: FastAPI, httpx, python-jose and one INCR a request.

Usage: python naive_gateway.py PORT UPSTREAM REDIS_URL JWKS_FILE AUDIENCE ISSUER, in an environment
with the packages of naive-requirements.txt. One client and one pool for all requests, keys read
once: what is measured is the choice of parts, not carelessness.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx  # type: ignore[import-not-found]
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from jose import JWTError, jwt  # type: ignore[import-untyped]
from redis.asyncio import Redis

LIMIT = 1_000_000_000
NOT_PASSED_ON = {"host", "connection", "content-length", "transfer-encoding", "content-encoding"}


def build(upstream: str, redis_url: str, keys: list[Any], audience: str, issuer: str) -> FastAPI:
    app = FastAPI()
    http = httpx.AsyncClient(base_url=upstream, limits=httpx.Limits(max_connections=256))
    redis = Redis.from_url(redis_url)
    by_id = {key["kid"]: key for key in keys}

    def claims_of(request: Request) -> dict[str, Any]:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            key = by_id[jwt.get_unverified_header(token)["kid"]]
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=["ES256"], audience=audience, issuer=issuer
            )
        except (JWTError, KeyError):
            raise HTTPException(401) from None
        return claims

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def pass_on(path: str, request: Request) -> Response:
        claims = claims_of(request)
        used = await redis.incr(f"naive:{claims['sub']}:{int(time.time()) // 60}")
        if used > LIMIT:
            raise HTTPException(429)
        headers = {k: v for k, v in request.headers.items() if k not in NOT_PASSED_ON}
        answer = await http.request(
            request.method, f"/{path}", headers=headers, content=await request.body()
        )
        passed = {k: v for k, v in answer.headers.items() if k not in NOT_PASSED_ON}
        return Response(answer.content, answer.status_code, passed)

    return app


def main() -> None:
    port, upstream, redis_url, jwks, audience, issuer = sys.argv[1:]
    keys = json.loads(Path(jwks).read_text())["keys"]
    uvicorn.run(
        build(upstream, redis_url, keys, audience, issuer),
        host="127.0.0.1",
        port=int(port),
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
