# SPDX-License-Identifier: GPL-3.0-or-later
"""How files are spoilt, how many of them, and what may become of each.

How many is decided here alone: `DOFKIT_FUZZ=ci` (the default) tries some 900 in a minute, `nightly` more than 10,000
(`make fuzz`). A test says its part of CI's.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import resource
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TIMES = {"ci": 1, "nightly": 22}[os.environ.get("DOFKIT_FUZZ", "ci")]
"""Nightly tries so many times as much as CI."""
SECONDS, BYTES = 60, 2 * 2**30
"""What a small file may cost at most: time on a busy machine, and memory."""

tried: Counter[str] = Counter()
"""Inputs tried, by kind; printed at the end of the tests."""

for name in ("ci", "nightly"):
    settings.register_profile(
        name, deadline=None, derandomize=name == "ci", database=None, print_blob=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
PROFILE = settings.get_profile("nightly" if TIMES > 1 else "ci")


def fuzz(share: int) -> settings:
    """So many of CI's inputs are this test's."""
    return settings(PROFILE, max_examples=share * TIMES)


@contextlib.contextmanager
def bounded(kind: str) -> Iterator[None]:
    """Count an input; fail if it takes more than `SECONDS`, or makes this process larger by more than `BYTES`."""
    def late(*_: object) -> None:
        raise AssertionError(f"still not done after {SECONDS} s")

    tried[kind] += 1
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - largest
    assert 1024 * grown < BYTES, f"took {grown / 2**20:.1f} GB"


def outcome(kind: str, act: Callable[[], Any], *errors: type[Exception]) -> Any:
    """What `act` returns, or the one clear error that it ends in: of a kind that is declared, and with words in it."""
    with bounded(kind):
        try:
            return act()
        except errors as error:
            text = str(error)
            assert len(text) > 10, f"{error!r} says nothing"
            assert "Traceback" not in text
            return error


NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
"""What breaks a length, a count or an offset."""


@st.composite
def damaged(draw: st.DrawFn, good: bytes, other: bytes = b"") -> bytes:
    """A good file with bits turned, bytes changed, numbers of its header made huge, cut, spliced with another one."""
    data = bytearray(good)
    ways = ("bit", "byte", "number", "cut", "splice", "insert", "remove", "head")
    for way in draw(st.lists(st.sampled_from(ways), min_size=1, max_size=4)):
        if not data:
            break
        near = draw(st.booleans())  # headers are short, and matter
        at = draw(st.integers(0, min(len(data), 96 if near else len(data)) - 1))
        if way == "bit":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif way == "byte":
            data[at] = draw(st.integers(0, 255))
        elif way == "number":
            size = draw(st.sampled_from((1, 2, 4, 8)))
            value = draw(st.sampled_from(NUMBERS)) % 2 ** (8 * size)
            data[at : at + size] = value.to_bytes(size, draw(st.sampled_from(("little", "big"))))
        elif way == "cut":
            del data[at:]
        elif way == "splice":
            data[at:] = (other or good)[draw(st.integers(0, len(other or good))):]
        elif way == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=40))
        elif way == "remove":
            del data[at : at + draw(st.integers(1, 40))]
        else:
            data[: draw(st.integers(1, 16))] = draw(st.binary(max_size=16))
    return bytes(data)


DEEP = "deep"
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", "x", "0", "\0",
    "\ud800", "ä" * 300, "../../etc/passwd", "/", "real", "lens", [], {}, [[]], [0], [1, [10**9]], ["x", 10**9],
    [1e308, 1e308], {"": None}, {"x": []}, DEEP,
)
"""What nobody expects in the place of a value."""


@st.composite
def odd_json(draw: st.DrawFn, good: Any) -> bytes:
    """A JSON document with values replaced, left out, doubled or nested without end; at times spoilt as bytes."""
    tree = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = _somewhere(draw, tree)
        if holder is None:
            tree = draw(st.sampled_from(ODD))
            break
        way = draw(st.sampled_from(("replace", "replace", "remove", "add")))
        if way == "replace":
            holder[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif way == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = copy.deepcopy(draw(st.sampled_from(ODD)))
        else:
            holder.append(copy.deepcopy(holder[key]))
    text = json.dumps(tree).replace(f'"{DEEP}"', "[" * 50_000)
    data = text.encode("utf-8", "surrogatepass")
    return draw(damaged(data)) if draw(st.integers(0, 4)) == 0 else data


def _somewhere(draw: st.DrawFn, tree: Any) -> tuple[Any, Any]:
    """A container in the tree and one of its keys; (None, None) for the root, or where there is none."""
    holder, key = None, None
    for _ in range(draw(st.integers(0, 6))):
        inner = tree if holder is None else holder[key]
        if not (isinstance(inner, (dict, list)) and inner):
            break
        holder = inner
        key = draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
    return holder, key
