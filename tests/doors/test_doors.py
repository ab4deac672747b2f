"""The one way in: every bound is tried from both sides, and nothing takes long."""

import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from budgetsim.doors.documents import MOST_CHARACTERS, MOST_DEPTH, MOST_NODES, load_json, load_yaml
from budgetsim.doors.files import read_file
from budgetsim.doors.words import is_readable, show, show_json
from budgetsim.errors import InputError

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)
BOMBS = {
    "billion laughs": LAUGHS,
    "merge of itself": "x: &x\n  <<: *x\n",
    "merge written out": "x:\n  <<: {a: 1}\n",
    "a tag": "x: !!python/object/apply:os.system ['id']",
    "open brackets": "[" * 200_000,
    "nested lists": "[" * 1000 + "]" * 1000,
    "nested maps": "{a: " * 1000 + "1" + "}" * 1000,
    "indented maps": "\n".join(" " * i + "a:" for i in range(600)),
    "dashes": "- " * 100_000,
    "questions": "? " * 100_000,
    "a list of a hundred thousand": "a: [" + "1," * 100_000 + "]",
    "keys": "\n".join(f"k{i}: 1" for i in range(20_000)),
    "anchors": "\n".join(f"k{i}: &a{i} 1" for i in range(9_000)),
    "a comment of fifty megabytes": "a: 1 #" + "x" * 50_000_000,
    "zero byte": "a: \0",
    "lone surrogate": "a: \ud800",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_yaml_bomb_is_refused_at_once(text):
    start = time.process_time()
    with pytest.raises((InputError, YAMLError, ValueError)):
        load_yaml(text, "x")
    assert time.process_time() - start < 5


def test_what_is_within_the_bounds_is_read():
    deep = "[" * (MOST_DEPTH - 1) + "1" + "]" * (MOST_DEPTH - 1)
    assert load_yaml(deep, "x") == load_json(deep)
    assert len(load_yaml("\n".join("- 1" for _ in range(MOST_NODES - 1)), "x")) == MOST_NODES - 1
    assert load_yaml("a: 1 " + "#" * (MOST_CHARACTERS - 5), "x") == {"a": 1}
    assert load_yaml("'<<': 1", "x") == {"<<": 1}  # a quoted key is a key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 1}', "stands twice"),
        ("[NaN]", "NaN is no number"),
        ("[-Infinity]", "is no number"),
        ("[1e400]", "beyond any number"),
        ("[" * 100_000, "nested deeper"),
        ("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1), "nested deeper"),
        ("9" * 5000, "limit"),
    ],
)
def test_json_is_bounded(text, message):
    with pytest.raises(ValueError, match=message):
        load_json(text)


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"\xef\xbb\xbfabc")
    assert read_file(file, "thing", 6) == "abc"
    with pytest.raises(InputError, match="larger than 5 bytes"):
        read_file(file, "thing", 5)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for name, message in {
        "pipe": "a pipe or a device", "endless": "a pipe or a device", ".": "is a folder", "gone": "no thing", "a\0b": "cannot be read",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=message):
            read_file(tmp_path / name, "thing")


@given(st.text())
def test_nothing_that_is_shown_is_obeyed(text):
    """What is left is printable, a tab or a newline; and text without commands is shown as it is."""
    shown = show(text)
    assert all(c in "\t\n" or c >= " " for c in shown)
    assert not set(shown) & {"\x1b", "\x7f", "\x9b", "\u202e"}
    assert show(shown) == shown
    assert "\n" not in show(text, one_line=True)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_that_is_shown_says_the_same(value):
    text = show_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert show(text) == text


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\u00a0\u2060", "a\x00", "a\x1b[2J", "a\u202eb", "\ud800"])
def test_a_name_that_nobody_can_read_is_none(text):
    assert not is_readable(text)
