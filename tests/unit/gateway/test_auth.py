import pytest

from common_lib.auth import InvalidToken, Unauthenticated
from gateway.auth import bearer_token, refuse_token_in_query


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic dXNlcjpwYXNz",
        b"Token abc",
        b"abc",
        b"Bearer " + b"x" * 8192,
    ],
)
def test_what_is_no_bearer_token_is_refused(header: bytes) -> None:
    with pytest.raises(InvalidToken):
        bearer_token(header)


def test_the_scheme_is_read_in_any_case() -> None:
    assert bearer_token(b"bEaReR  abc ") == "abc"


@pytest.mark.parametrize(
    "query",
    [b"access_token=x", b"a=1&access_token=x", b"ACCESS_TOKEN=x", b"accessToken=x", b"jwt="],
)
def test_a_token_in_the_address_is_refused(query: bytes) -> None:
    with pytest.raises(Unauthenticated):
        refuse_token_in_query(query)


@pytest.mark.parametrize("query", [b"", b"q=access_token", b"token=abc", b"xaccess_token=1"])
def test_other_queries_pass(query: bytes) -> None:
    refuse_token_in_query(query)
