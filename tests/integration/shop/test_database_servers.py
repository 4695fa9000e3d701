"""What the database server itself says of its settings, whatever file or flag they came from."""

import pymysql
import pytest
from sqlalchemy.engine import make_url

from shop.stack.native import NativeStack

WEEK_S = 7 * 24 * 60 * 60


def asked(parts: NativeStack, *variables: str) -> dict[str, object]:
    url = make_url(parts.database_url("order"))
    connection = pymysql.connect(
        host=url.host, port=url.port or 0, user=url.username, password=url.password or ""
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'@@GLOBAL.{name}' for name in variables)}")
        row = cursor.fetchone()
    assert row is not None
    return dict(zip(variables, row, strict=True))


@pytest.mark.enable_socket
def test_the_binary_log_holds_rows_and_is_kept_for_a_week(parts: NativeStack) -> None:
    found = asked(parts, "log_bin", "binlog_format", "binlog_expire_logs_seconds")

    assert found == {
        "log_bin": 1,
        "binlog_format": "ROW",
        "binlog_expire_logs_seconds": WEEK_S,
    }


@pytest.mark.enable_socket
def test_a_commit_is_on_the_disk_before_it_is_answered(parts: NativeStack) -> None:
    found = asked(parts, "sync_binlog", "innodb_flush_log_at_trx_commit")

    assert found == {"sync_binlog": 1, "innodb_flush_log_at_trx_commit": 1}
