import json

import pytest

from commerce.api.body import parse


def test_json_is_read() -> None:
    assert parse(b'{"a": [1, 2.5, "\\u00e9", "\\ud83d\\ude00", "\\\\u0000"]}') == {
        "a": [1, 2.5, "é", "😀", "\\u0000"]
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": ["\\ud800"]}',
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_json_or_can_not_be_stored_is_refused(raw: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        parse(raw)
