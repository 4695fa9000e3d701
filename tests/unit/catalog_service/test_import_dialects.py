"""Files as people's programs write them: understood, or refused with what to change."""

import pytest

from catalog_service.services.imports import reader
from catalog_service.services.imports.decoding import as_utf8
from catalog_service.services.imports.header import WrongHeader
from common_lib.problems import InvalidUtf8

NAMES = ("product_name", "description", "category", "sku", "variant_name", "price", "quantity")
CELLS = ("Größe, \u20ac", "Baumwolle", "kurtas", "A-1", "M", "1.00", "3")


def table(separator: str, ending: str = "\r\n") -> str:
    quoted = [f'"{cell}"' for cell in CELLS]
    return ending.join([separator.join(NAMES), separator.join(quoted), ""])


def only_row(source: bytes) -> reader.Row:
    (row,) = reader.rows(source)
    assert row.errors == ()
    return row


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_cells_are_parted_and_lines_end_as_any_program_does_it(separator: str, ending: str) -> None:
    row = only_row(table(separator, ending).encode())
    assert tuple(row.cells.values()) == CELLS
    assert row.line == 2


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("told", ["sep={}", '"sep={}"', "SEP={}"])
def test_excels_line_about_the_separator_is_obeyed(separator: str, told: str) -> None:
    row = only_row(f"{told.format(separator)}\r\n{table(separator)}".encode())
    assert (row.line, tuple(row.cells.values())) == (3, CELLS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_says_its_encoding_by_its_mark(encoding: str) -> None:
    assert tuple(only_row(as_utf8(table("\t").encode(encoding))).cells.values()) == CELLS


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        ("cp1252", "windows-1252"),
        ("cp1252", "iso-8859-1"),
        ("utf-16-le", "utf-16le"),
        ("utf-16-be", "utf-16be"),
        ("utf-16", "utf-8"),
    ],
)
def test_a_file_may_be_said_to_have_an_encoding(encoding: str, charset: str) -> None:
    source = as_utf8(table(";").encode(encoding), charset)
    assert tuple(only_row(source).cells.values()) == CELLS


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (table(",").encode("cp1252"), ["line 2", "CSV UTF-8", "charset=windows-1252"]),
        (table(",").encode("utf-16-le"), ["UTF-16", "CSV UTF-8"]),
        (table(",").encode("utf-16-be"), ["UTF-16", "CSV UTF-8"]),
        (table(",").encode("utf-32"), ["UTF-32", "CSV UTF-8"]),
        (table(",").encode("utf-16")[:-1], ["utf-16", "CSV UTF-8"]),
    ],
)
def test_an_encoding_that_nothing_names_is_refused_with_what_to_do(
    source: bytes, words: list[str]
) -> None:
    with pytest.raises(InvalidUtf8) as refused:
        as_utf8(source)
    assert all(word in str(refused.value.detail) for word in words)


def test_empty_columns_at_the_end_are_no_columns() -> None:
    lines = [",".join(NAMES) + ",,,", ",".join(["x"] * 7) + ",,,", ",".join(["y"] * 7), ",,,,,,,,,"]
    rows = list(reader.rows("\r\n".join(lines).encode()))
    assert [(row.errors, len(row.cells)) for row in rows] == [((), 7), ((), 7)]


def test_an_empty_column_in_the_middle_is_no_column_until_it_has_a_text() -> None:
    names = ",".join([*NAMES[:3], "", *NAMES[3:]])
    body = f"{names}\na,b,c,,d,e,f,g\na,b,c,note,d,e,f,g\n".encode()
    good, bad = reader.rows(body)
    assert dict(good.cells) == dict(zip(NAMES, "abcdefg", strict=True))
    assert [(e.code, "column 4" in e.detail) for e in bad.errors] == [("csv_cells", True)]


def test_a_row_with_a_text_beyond_the_header_is_refused() -> None:
    body = (",".join(NAMES) + ",,\n" + ",".join("abcdefgh") + "\n").encode()
    (row,) = reader.rows(body)
    assert row.errors[0].code == "csv_cells"


@pytest.mark.parametrize(
    "write",
    [
        str.upper,
        lambda name: f"  {name}\u00a0",
        lambda name: f"\ufeff{name}\u200b",
        lambda name: name.replace("_", " ").title(),
        lambda name: f'"{name}"',
    ],
)
def test_a_header_is_read_however_it_is_written(write: object) -> None:
    assert callable(write)
    body = f"{','.join(map(write, NAMES))}\na,b,c,d,e,f,g\n".encode()
    assert tuple(only_row(body).cells) == NAMES


def test_a_label_keeps_its_letters_and_loses_the_spaces_around_it() -> None:
    body = f"{','.join(NAMES)},ATTR. Size (EU)\u00a0\na,b,c,d,e,f,g,M\n".encode()
    assert only_row(body).cells["attr.Size (EU)"] == "M"


def test_curly_quotes_are_refused_with_what_to_do() -> None:
    body = f"{','.join(NAMES)}\n\u201ca,b\u201d,b,c,d,e,f,g\n".encode()
    (row,) = reader.rows(body)
    assert "curly quotes" in row.errors[0].detail
    with pytest.raises(WrongHeader) as refused:
        list(reader.rows(body.replace(b"sku", "\u201csku\u201d".encode())))
    assert any("curly" in error.detail for error in refused.value.errors)


def test_lines_without_a_text_cost_nothing_before_behind_and_between() -> None:
    body = "\r\n\r\n" + table(",") + "\r\n,,,,,,\r\n \u00a0\r\n"
    assert only_row(body.encode()).line == 4
