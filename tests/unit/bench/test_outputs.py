import pytest

from tests.bench.c_client import parse_rate
from tests.bench.load import parse
from tests.bench.machine import _memory_kib

WRK = """Running 2s test @ http://127.0.0.1:8080
  1 threads and 16 connections
Requests/sec:    100.00

{"requests":210,"elapsed_us":2000000,"p50_us":1500,"p99_us":9000,"refused":10,"broken":1}
"""


def test_what_wrk_saw_is_read_from_its_last_line() -> None:
    outcome = parse(WRK)

    assert outcome.succeeded == 200
    assert outcome.per_second == 100
    assert (outcome.p50_ms, outcome.p99_ms, outcome.broken) == (1.5, 9.0, 1)


@pytest.mark.parametrize(
    ("output", "rate"),
    [("    queries:                             8230   (4114.46 per sec.)\n", 4114.46), ("", None)],
)
def test_the_rate_of_sysbench_is_read_from_its_summary(output: str, rate: float | None) -> None:
    assert parse_rate(output) == rate


def test_memory_is_read_from_meminfo() -> None:
    assert _memory_kib("MemTotal:       24683516 kB\nMemFree: 1 kB\n") == 24683516
