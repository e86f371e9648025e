"""JSON that clients keep: bounded, merged as RFC 7396 has it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.directory.json_objects import MAX_BYTES, checked, merged

# RFC 7396 appendix A, as far as both sides are objects.
EXAMPLES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
OBJECTS = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.integers() | st.text(max_size=3),
        lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)


@pytest.mark.parametrize(("target", "patch", "result"), EXAMPLES)
def test_a_patch_is_merged_as_the_rfc_has_it(target, patch, result):
    assert merged(target, patch) == result


@given(OBJECTS, OBJECTS)
def test_merging_twice_is_merging_once_and_the_target_is_left_alone(target, patch):
    before = json.dumps(target)
    once = merged(target, patch)
    assert merged(once, patch) == once
    assert json.dumps(target) == before


@pytest.mark.parametrize(
    "value",
    [
        {"a": "x" * MAX_BYTES},
        {"a": [[[[[[[[[1]]]]]]]]]},
        {"a": "\0"},
        {"\ud800": 1},
        {"a": ["\ud800"]},
        {"a": float("nan")},
    ],
    ids=["long", "deep", "nul", "surrogate in a name", "surrogate in a list", "no number"],
)
def test_what_cannot_be_kept_is_refused(value):
    with pytest.raises(ValueError, match=r".+"):
        checked(value)


def test_what_can_be_kept_comes_back_as_it_is():
    value = {"a": [{"b": "ü"}], "c": None, "d": 1.5}
    assert checked(value) is value
