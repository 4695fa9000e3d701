"""Reading product files: what a cell means, and what a broken line costs."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_service.services.imports import format as csv_format
from catalog_service.services.imports import reader
from catalog_service.services.imports.header import WrongHeader
from catalog_service.services.imports.reader import EmptyFile
from catalog_service.services.imports.records import TooManyRows, UnmatchedQuotes
from common_lib.problems import InvalidUtf8

HEADER = b"product_name,description,category,sku,variant_name,price,quantity\n"


def row(sku: str, name: str = "Kurta") -> bytes:
    return f"{name},Cotton,kurtas,{sku},M,1.00,3\n".encode()


def lines(body: bytes) -> list[tuple[int, str]]:
    """Return each row's line with its SKU, or with what is wrong with it."""
    return [
        (each.line, each.errors[0].code if each.errors else each.cells["sku"])
        for each in reader.rows(HEADER + body)
    ]


@given(st.text())
def test_every_text_comes_back_from_behind_its_guard(text: str) -> None:
    assert csv_format.original(csv_format.neutralised(text)) == text


@given(st.text("'=+-@\t\r\n \uff1da", max_size=6))
def test_no_guarded_text_begins_like_a_formula(text: str) -> None:
    guarded = csv_format.neutralised(text)

    assert not guarded.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
    assert csv_format.original(guarded) == text


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_attributes_come_back_exactly(attributes: dict[str, str]) -> None:
    assert csv_format.attributes_of(csv_format.attributes_text(attributes)) == attributes


def test_attributes_are_written_as_people_do() -> None:
    assert csv_format.attributes_of("colour=Red; size=M;") == {"colour": "Red", "size": "M"}


@given(st.lists(st.sampled_from(['"', ",", "a", "\n", '""', "\r\n", "\\", "=", ";"])))
def test_whatever_comes_every_good_row_after_it_is_found(parts: list[str]) -> None:
    """A broken beginning costs its own line; only what it properly quotes is its own."""
    body = "".join(parts).encode() + b"\n" + row("LAST")

    found = list(reader.rows(HEADER + body))

    assert found[-1].errors or found[-1].cells["sku"] == "LAST"
    assert [each.line for each in found] == sorted({each.line for each in found})


def test_an_unclosed_quote_costs_its_line_alone() -> None:
    body = row("A") + b'"open,a,b,c,d,e,f\n' + row("B") + b'"x"y,a,b,c,d,e,f\n' + row("C")

    assert lines(body) == [(2, "A"), (3, "csv_quotes"), (4, "B"), (5, "csv_quotes"), (6, "C")]


def test_a_quoted_line_break_belongs_to_its_cell() -> None:
    body = row("A", '"two\r\nlines"') + row("B")

    assert lines(body) == [(2, "A"), (4, "B")]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_lines_end_as_any_system_ends_them(ending: bytes) -> None:
    body = (HEADER + row("A") + row("B")).replace(b"\n", ending)

    assert [each.line for each in reader.rows(body)] == [2, 3]


def test_blank_rows_are_no_rows() -> None:
    assert lines(b"\n,,,,,,\n   ,,,,,,\n" + row("A") + b"\n\n") == [(5, "A")]


def test_rows_without_end_are_refused_one_by_one() -> None:
    huge = b'"' + b"x" * 400_000 + b'",a,b,c,d,e,f\n'

    assert lines(huge + row("A") + b"," * 5_000_000 + b"\n" + row("B")) == [
        (2, "csv_quotes"),
        (3, "A"),
        (4, "csv_quotes"),
        (5, "B"),
    ]


@pytest.mark.parametrize("line", [b'"x\n', b'"""a\n', b'a,"b""\n', b'a,"\n', b'x"y\n'])
def test_a_file_of_broken_lines_is_read_in_linear_time(line: bytes) -> None:
    def seconds(copies: int) -> float:
        source, started = HEADER + line * copies, time.process_time()
        assert sum(1 for _ in reader.rows(source)) <= copies
        return time.process_time() - started

    assert seconds(40_000) < 40 * seconds(4_000) + 0.5


@pytest.mark.parametrize("line", [b'x","y\n', b'x","\n', b'x","y""z\r\n'])
def test_a_file_whose_lines_each_swallow_the_next_is_refused_as_a_whole(line: bytes) -> None:
    with pytest.raises(UnmatchedQuotes, match="line "):
        reader.check(HEADER + line * 60_000, max_rows=20_000)


def test_a_few_quotes_that_swallow_much_cost_their_lines_alone() -> None:
    good = row("A", "Kurta " * 150) * 400
    body = b"".join(b'"open,a,b,c,d,e,f\n' + good for _ in range(8))

    errors = [each.line for each in reader.rows(HEADER + body) if each.errors]

    assert errors == [2 + 401 * n for n in range(8)]


def test_neighbours_with_one_handle_are_one_product() -> None:
    body = row("A") + row("B", "kurta ") + b"broken\n" + row("C") + row("D", "Saree") + row("E")

    found = [(g.handle, len(g.rows), g.is_repeat) for g in reader.groups(HEADER + body)]
    assert found == [("kurta", 4, False), ("saree", 1, False), ("kurta", 1, True)]


def test_a_sku_met_before_is_marked_whatever_its_case() -> None:
    body = row("a-1") + row("A-1", "Saree")

    marks = [r.repeats_sku for g in reader.groups(HEADER + body) for r in g.rows]
    assert marks == [False, True]


def test_a_byte_order_mark_and_any_case_of_the_header_are_fine() -> None:
    body = b"\xef\xbb\xbf" + HEADER.upper() + row("A")

    assert reader.check(body, max_rows=1) == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", EmptyFile),
        (HEADER, EmptyFile),
        (b"name\n", WrongHeader),
        (HEADER.replace(b"sku", b"sku,sku"), WrongHeader),
        (HEADER.replace(b"sku", b"sku,attr." + b"x" * 65), WrongHeader),
        (HEADER + row("A") + row("B"), TooManyRows),
        (HEADER + b"\n" * 1_000_001, TooManyRows),
        (HEADER + b"\xff\n", InvalidUtf8),
        ((HEADER + row("A")).decode().encode("utf-16"), InvalidUtf8),
    ],
)
def test_a_file_that_is_none_is_refused(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        reader.check(body, max_rows=1)
