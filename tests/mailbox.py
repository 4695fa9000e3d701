"""The mails that LocalStack's SES took, read back as they were sent."""

from typing import Any

import httpx2

from shop.stack.native import NativeStack
from tests.plain import NO_TLS


async def all_mails(stack: NativeStack) -> list[dict[str, Any]]:
    """Return subject, html and text of each mail, in the order of sending."""
    return [_mail(message) for message in await _messages(stack)]


async def mails_to(stack: NativeStack, recipient: str) -> list[dict[str, Any]]:
    """Return subject, html and text of each mail to the recipient, in the order of sending."""
    return [
        _mail(message)
        for message in await _messages(stack)
        if recipient in message.get("Destination", {}).get("ToAddresses", ())
    ]


def empty(stack: NativeStack) -> None:
    """Throw away what was sent: thousands of mails take longer to read than to wait for one."""
    httpx2.delete(f"{stack.layout.aws_endpoint_url}/_aws/ses", verify=NO_TLS, timeout=30)


async def _messages(stack: NativeStack) -> list[dict[str, Any]]:
    url = stack.layout.aws_endpoint_url
    async with httpx2.AsyncClient(base_url=url, verify=NO_TLS, timeout=30) as client:
        messages: list[dict[str, Any]] = (await client.get("/_aws/ses")).json()["messages"]
    return messages


def _mail(message: dict[str, Any]) -> dict[str, Any]:
    body = message.get("Body", {})
    return {
        "subject": message["Subject"],
        "html": body.get("html_part") or "",
        "text": body.get("text_part") or "",
    }
