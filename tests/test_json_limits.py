"""The values of a JSON document are counted before it is parsed; the contents of its strings are not."""

import json
import random
import string

import pytest

from chat.json_limits import MAX_DEPTH, JsonTooLarge, check_json, count_values, without_strings

MAX_VALUES = 50_000


@pytest.mark.parametrize(
    "document",
    [
        b"[" * (MAX_DEPTH + 1),
        b'{"a":' * (MAX_DEPTH + 1),
        b"[" + b"{}," * MAX_VALUES,
        b'["\\\\",' + b'"",' * MAX_VALUES,
        b"[[" + b'"",' * (2 * MAX_VALUES),
    ],
    ids=["arrays", "objects", "empty objects", "empty strings", "more strings"],
)
def test_json_is_counted_before_it_is_parsed(document):
    with pytest.raises(JsonTooLarge):
        check_json(document, MAX_VALUES)


@pytest.mark.parametrize(
    "document",
    [
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'{"text": "' + b"[{, " * MAX_VALUES + b'"}',
        b'{"text": "' + b'\\"[\\\\' * MAX_VALUES + b'"}',
        b"[" + b"[]," * 1_000 + b"[]]",
    ],
    ids=["depth", "brackets in a text", "quotation marks in a text", "many short arrays"],
)
def test_content_of_a_string_is_not_counted(document):
    check_json(document, MAX_VALUES)


def test_values_are_counted_as_the_parser_finds_them():
    chance = random.Random(5)
    characters = [*string.ascii_letters, *'",[]{}:\\\n字']

    def text():
        return "".join(chance.choices(characters, k=chance.randrange(9)))

    def value(depth):
        match chance.randrange(4 if depth else 2):
            case 0:
                return text()
            case 1:
                return chance.random()
            case 2:
                return [value(depth - 1) for _ in range(chance.randrange(5))]
            case _:
                return {text(): value(depth - 1) for _ in range(chance.randrange(5))}

    def count(value):
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if items is None else 1 + max(len(items) - 1, 0) + sum(map(count, items))

    for _ in range(500):
        document = value(4)
        for ascii_only in (True, False):
            assert count_values(
                without_strings(json.dumps(document, ensure_ascii=ascii_only).encode(), MAX_VALUES)
            ) == count(document)
