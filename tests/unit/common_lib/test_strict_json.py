"""Bodies that two readers would read differently, or that somebody behind could not keep."""

import json

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common_lib.problems import MalformedJson, parse_json
from common_lib.problems.strict_json import MAX_DEPTH

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('ab:\\"\u00e9{}[],'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('ab:\\"'), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "body",
    [
        b'{"email":"a","email":"b"}',
        b'{"email":"a","email":"a"}',
        b'{"email":"a","\\u0065mail":"b"}',
        b'{ "email" : "a" , "email"\n:"b" }',
        b'{"":1,"":2}',
        b'{"user":{"role":"a","role":"b"}}',
        b'[{"a":1},{"a":1,"a":2}]',
        b'{"a":[[{"b":{},"b":[]}]]}',
        b'{"a":{"b":1},"a":{"b":1}}',
        b'{"a":1,"a":"\\u003a"}',
        b'{"a":1,"b":"\\u003A","a":2}',
        b'{"a:b":1,"a\\u003ab":1}',
        b'{"a":"x:y","a":"xy"}',
        b'{"a":"xy","a":"x:y"}',
        b'{"\\u0000":1,"a":1,"a":2}'.replace(b'"\\u0000":1,', b""),
        '{"é":1,"\\u00e9":2}'.encode(),
    ],
)
def test_a_member_named_twice_is_refused_however_it_is_written(body: bytes) -> None:
    with pytest.raises(MalformedJson, match="twice"):
        parse_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"http://x:1","b":["::",{"c:d":":"}]}',
        b'{"a":"\\u003a","b":"\\u003b"}',
        b'{"a":{"a":{"a":1}},"b":{"a":1}}',
        b'[{"a":1},{"a":1}]',
        b'":::"',
        b'"\\u003a"',
        b"7",
        b'{"A":1,"a":2}',
        b'{"\\\\":1,"\\"":2}',
    ],
)
def test_a_body_without_repetition_is_taken(body: bytes) -> None:
    assert parse_json(body) == json.loads(body)


PATIENT = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(JSON, st.booleans(), st.booleans())
def test_any_document_is_read_as_it_was_written(value: object, ascii_: bool, wide: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_, indent=2 if wide else None)
    try:
        assert parse_json(text.encode()) == value
    except MalformedJson:
        assert text.count("[") + text.count("{") > MAX_DEPTH


@PATIENT
@given(st.dictionaries(st.text('ab:\\"'), JSON, min_size=1))
def test_any_object_written_twice_over_is_refused(value: dict[str, object]) -> None:
    inside = orjson.dumps(value)[1:-1]
    with pytest.raises(MalformedJson):
        parse_json(b"{%s,%s}" % (inside, inside))


@pytest.mark.parametrize(("before", "behind"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_body_nested_too_deep_is_refused(before: bytes, behind: bytes) -> None:
    parse_json(before * (MAX_DEPTH - 1) + b"[]" + behind * (MAX_DEPTH - 1))
    for depth in (MAX_DEPTH, 99, 1000, 5000):
        with pytest.raises(MalformedJson):
            parse_json(before * depth + b"[]" + behind * depth)
