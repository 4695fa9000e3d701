"""What a bad request is answered."""

import httpx2


def assert_problem(answer: httpx2.Response, status: int, code: str | None = None) -> None:
    """Assert a problem document (RFC 9457) of this status, and of this code where one is named."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["requestId"]
    assert code in {None, document["code"]}, document


def code_of(answer: httpx2.Response) -> str | None:
    """Return the `code` of a problem; None where the answer is none."""
    code: str | None = answer.json().get("code")
    return code
