from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_lib.telemetry import parse_traceparent
from gateway.headers import (
    BadFraming,
    client_of,
    limit_key,
    new_request_id,
    new_traceparent,
    read_head,
)


def passed_on(*headers: tuple[bytes, bytes]) -> set[bytes]:
    return {line.partition(b":")[0] for line in read_head(headers).passed_on}


@pytest.mark.parametrize(
    "name",
    [
        b"x-user-id",
        b"x_user_id",
        b"x.user.id",
        b"x-user_id",
        b"x-user",
        b"x-user-role",
        b"x-userid",
        b"x-internal-token",
        b"x-internal",
        b"x-service-token",
        b"x-auth-user",
        b"x-principal",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-prefix",
        b"x-forwarded-anything",
        b"forwarded",
        b"x-real-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-http-method-override",
        b"x-method-override",
        b"x-request-timeout-ms",
        b"connection",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
        b"expect",
        b"host",
        b"content-length",
        b"x weird",
        b"x-h\xc3\xa9",
    ],
)
def test_a_header_that_is_not_the_clients_to_send_does_not_pass(name: bytes) -> None:
    value = {b"transfer-encoding": b"chunked", b"content-length": b"1"}.get(name, b"x")

    assert passed_on((name, value), (b"accept", b"*/*")) == {b"accept"}


@given(st.text(alphabet="-_. ", min_size=1, max_size=1), st.text(alphabet="xXuUsSeErR-_.id"))
def test_no_spelling_of_a_user_id_passes(separator: str, tail: str) -> None:
    name = f"x{separator}user{tail}".lower().encode()

    assert passed_on((name, b"1")) == set()


@pytest.mark.parametrize(
    "name",
    [
        b"accept",
        b"accept-language",
        b"authorization",
        b"content-type",
        b"cookie",
        b"idempotency-key",
        b"if-match",
        b"if-none-match",
        b"stripe-signature",
        b"user-agent",
        b"x-razorpay-signature",
        b"x-webhook-timestamp",
        b"tenant",
        b"hostname",
    ],
)
def test_a_header_of_the_request_itself_passes(name: bytes) -> None:
    assert passed_on((name, b"1")) == {name}


def test_what_connection_names_is_dropped_but_not_what_carries_meaning() -> None:
    headers = (
        (b"connection", b"X-Hop, close"),
        (b"x-hop", b"1"),
        (b"connection", b"Authorization, Idempotency-Key"),
        (b"authorization", b"Bearer x"),
        (b"idempotency-key", b"k"),
    )

    assert passed_on(*headers) == {b"authorization", b"idempotency-key"}


@pytest.mark.parametrize(
    "headers",
    [
        ((b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")),
        ((b"content-length", b"1"), (b"content-length", b"1")),
        ((b"content-length", b"-1"),),
        ((b"transfer-encoding", b"gzip, chunked"),),
        ((b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")),
        ((b"content-type", b"application/json"), (b"content-type", b"text/plain")),
    ],
)
def test_headers_that_contradict_each_other_are_refused(
    headers: tuple[tuple[bytes, bytes], ...],
) -> None:
    with pytest.raises(BadFraming):
        read_head(headers)


def test_a_request_id_is_taken_over_only_if_it_is_plain() -> None:
    assert read_head([(b"x-request-id", b"abc_1-2")]).request_id == b"abc_1-2"
    for value in (b"", b"a b", b"a\nb", b"x" * 129, b"<script>"):
        assert read_head([(b"x-request-id", value)]).request_id is None


def test_a_traceparent_is_taken_over_only_if_it_is_valid() -> None:
    good = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    assert read_head([(b"traceparent", good)]).traceparent == good
    assert read_head([(b"traceparent", b"00-zz-b7-01")]).traceparent is None


def test_what_the_gateway_makes_up_is_valid() -> None:
    made = parse_traceparent(new_traceparent(1.0).decode())

    assert made is not None
    assert made.is_sampled
    assert read_head([(b"x-request-id", new_request_id())]).request_id is not None


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", b"1.2.3.4", "203.0.113.9"),
        ("10.0.0.2", b"1.2.3.4", "1.2.3.4"),
        ("10.0.0.2", b"9.9.9.9, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.2", b"9.9.9.9, 1.2.3.4, 10.0.0.3", "1.2.3.4"),
        ("10.0.0.2", b"garbage", "10.0.0.2"),
        ("10.0.0.2", b"", "10.0.0.2"),
        ("unknown", b"1.2.3.4", "unknown"),
    ],
)
def test_the_client_is_the_first_that_is_no_proxy_of_ours(
    peer: str, forwarded: bytes, client: str
) -> None:
    head = read_head([(b"x-forwarded-for", forwarded)])

    assert client_of(head, peer, [ip_network("10.0.0.0/8")]) == client


def test_an_ipv6_host_is_counted_with_its_network() -> None:
    assert limit_key("2001:db8:1:2:3:4:5:6") == limit_key("2001:db8:1:2::1")
    assert limit_key("2001:db8:1:3::1") != limit_key("2001:db8:1:2::1")
    assert limit_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert limit_key("unknown") == "unknown"
