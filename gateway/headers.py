"""What of a request's headers goes on to a service, and what the gateway itself wants to know.

Names that could be mistaken for another (`X_User_Id`, `X.User.Id`) never pass: only letters, digits
and hyphens do. Identity, forwarding and hop-by-hop headers are the gateway's to write.
"""

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import uuid_utils

from common_lib.errors import Rejected
from common_lib.telemetry import parse_traceparent

Header = tuple[bytes, bytes]
Network = IPv4Network | IPv6Network

_PLAIN_NAME: Final = re.compile(rb"[a-z0-9-]{1,64}")
_OURS: Final = re.compile(
    rb"x-(?:user|internal|forwarded|real|auth|principal|role|service|original|rewrite|http-method"
    rb"|method-override|request-timeout|remote|client|envoy|amzn|cluster|true)|forwarded|true-client-ip"
    rb"|cf-|proxy|via$|host$|connection$|keep-alive$|te$|trailer|transfer-encoding$|upgrade|expect$"
    rb"|http2-settings|content-length$|x-request-id$|traceparent$|accept-encoding$"
)
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_-]{1,128}")
_MAX_KNOWN_NAMES: Final = 2048
_IPV6_PREFIX: Final = 64


class BadFraming(Rejected):
    code = "malformed_request"
    title = "The request cannot be read"


class UnknownClientAddress(Exception):
    """X-Forwarded-For of a trusted proxy holds no address."""


@dataclass(slots=True)
class RequestHead:
    """The headers of one request, read once. `passed_on` are ready lines for the upstream."""

    passed_on: list[bytes] = field(default_factory=list)
    host: bytes | None = None
    host_count: int = 0
    authorization: bytes | None = None
    content_length: int | None = None
    is_chunked: bool = False
    media_type: bytes = b""
    has_content_encoding: bool = False
    request_id: bytes | None = None
    traceparent: bytes | None = None
    origin: bytes | None = None
    preflight_method: bytes | None = None
    accept_encoding: bytes = b""
    connection: bytes | None = None
    forwarded_for: list[bytes] = field(default_factory=list)
    forwarded_proto: bytes | None = None
    timeout_ms: int | None = None
    is_conditional: bool = False

    @property
    def has_body(self) -> bool:
        return self.is_chunked or bool(self.content_length)


def read_head(headers: Iterable[Header]) -> RequestHead:
    """Read a request's headers. Raises BadFraming where they contradict each other."""
    head = RequestHead()
    passed_on = head.passed_on
    for name, value in headers:
        passes = _known_names.get(name)
        if passes is None:
            passes = _learn(name)
        if passes:
            passed_on.append(b"%s: %s\r\n" % (name, value))
        reader = _READERS.get(name)
        if reader is not None:
            reader(head, value)
    if head.connection is not None and head.connection.lower() not in _USUAL_CONNECTIONS:
        _drop_connection_options(head)
    return head


def _learn(name: bytes) -> bool:
    passes = _PLAIN_NAME.fullmatch(name) is not None and _OURS.match(name) is None
    if len(_known_names) < _MAX_KNOWN_NAMES:
        _known_names[name] = passes
    return passes


_known_names: dict[bytes, bool] = {}
_USUAL_CONNECTIONS: Final = frozenset({b"keep-alive", b"close", b""})


def _drop_connection_options(head: RequestHead) -> None:
    """Drop what `Connection` names as meant for this hop only (RFC 9110, 7.6.1)."""
    options = {option.strip().lower() for option in (head.connection or b"").split(b",")}
    # These carry the request's meaning: naming them must not make them vanish.
    options -= {b"authorization", b"content-type", b"idempotency-key", b"if-match", b"cookie"}
    head.passed_on[:] = [line for line in head.passed_on if line.partition(b":")[0] not in options]


def _host(head: RequestHead, value: bytes) -> None:
    head.host = value
    head.host_count += 1


def _authorization(head: RequestHead, value: bytes) -> None:
    if head.authorization is not None:
        raise BadFraming("there are two Authorization headers")
    head.authorization = value


def _content_length(head: RequestHead, value: bytes) -> None:
    if head.content_length is not None or not value.isdigit():
        raise BadFraming("the length of the body is not plain")
    head.content_length = int(value)


def _transfer_encoding(head: RequestHead, value: bytes) -> None:
    if head.is_chunked or value.strip().lower() != b"chunked":
        raise BadFraming("the only transfer coding taken is chunked")
    head.is_chunked = True


def _content_type(head: RequestHead, value: bytes) -> None:
    if head.media_type:
        raise BadFraming("there are two Content-Type headers")
    head.media_type = value.partition(b";")[0].strip().lower()


def _content_encoding(head: RequestHead, value: bytes) -> None:
    head.has_content_encoding = value.strip().lower() not in (b"", b"identity")


def _request_id(head: RequestHead, value: bytes) -> None:
    if _REQUEST_ID.fullmatch(value):
        head.request_id = value


def _traceparent(head: RequestHead, value: bytes) -> None:
    if parse_traceparent(value.decode("latin-1")) is not None:
        head.traceparent = value


def _origin(head: RequestHead, value: bytes) -> None:
    head.origin = value


def _preflight_method(head: RequestHead, value: bytes) -> None:
    head.preflight_method = value


def _accept_encoding(head: RequestHead, value: bytes) -> None:
    head.accept_encoding = value


def _connection(head: RequestHead, value: bytes) -> None:
    head.connection = value if head.connection is None else head.connection + b"," + value


def _forwarded_for(head: RequestHead, value: bytes) -> None:
    head.forwarded_for.extend(part.strip() for part in value.split(b","))


def _forwarded_proto(head: RequestHead, value: bytes) -> None:
    head.forwarded_proto = value.strip().lower()


def _timeout_ms(head: RequestHead, value: bytes) -> None:
    if value.isdigit() and len(value) < 10:  # noqa: PLR2004
        head.timeout_ms = int(value)


def _if_match(head: RequestHead, value: bytes) -> None:
    del value
    head.is_conditional = True


_READERS: Final[dict[bytes, Callable[[RequestHead, bytes], None]]] = {
    b"host": _host,
    b"authorization": _authorization,
    b"content-length": _content_length,
    b"transfer-encoding": _transfer_encoding,
    b"content-type": _content_type,
    b"content-encoding": _content_encoding,
    b"x-request-id": _request_id,
    b"traceparent": _traceparent,
    b"origin": _origin,
    b"access-control-request-method": _preflight_method,
    b"accept-encoding": _accept_encoding,
    b"connection": _connection,
    b"x-forwarded-for": _forwarded_for,
    b"x-forwarded-proto": _forwarded_proto,
    b"x-request-timeout-ms": _timeout_ms,
    b"if-match": _if_match,
}


def new_request_id() -> bytes:
    return str(uuid_utils.uuid7()).encode()


def new_traceparent(sample_ratio: float) -> bytes:
    """Return a trace context of our own; it identifies, it protects nothing."""
    flags = b"01" if random.random() < sample_ratio else b"00"
    return b"00-%032x-%016x-%s" % (random.getrandbits(128) | 1, random.getrandbits(64) | 1, flags)


def client_of(head: RequestHead, peer: str, trusted: Iterable[Network]) -> str:
    """Return the address of the client: the first one, from our end, that is no proxy of ours."""
    networks = tuple(trusted)
    address = peer
    for hop in reversed(head.forwarded_for):
        if not _is_trusted(address, networks):
            break
        try:
            address = str(ip_address(hop.decode("latin-1")))
        except ValueError:
            break
    return address


def _is_trusted(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def limit_key(address: str) -> str:
    """Return what an address is counted as: itself, or its /64, which one host can use freely."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(IPv6Network((parsed, _IPV6_PREFIX), strict=False))
    return str(parsed)
