"""Asking a process on loopback whether it is there."""

import http.client
import urllib.error
import urllib.request

ANSWER_TIMEOUT_S = 2.0

# Loopback is never behind a proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def status_of(url: str) -> int | None:
    """Return the HTTP status of a GET, or None if nobody answered."""
    try:
        with _opener.open(url, timeout=ANSWER_TIMEOUT_S) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code
    except (OSError, http.client.HTTPException):
        return None


def is_ok(url: str) -> bool:
    return status_of(url) == http.client.OK
