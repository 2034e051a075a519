# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes on disk: the same when kept, with two processes at once, after a kill, when a disk fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from dofkit.datasets import DataError, Item, scene_cache, scenes
from dofkit.files import PhotoError
from dofkit.parts import unfinished_file

ASK = {"split": "train", "kind": "selfie", "size": (40, 32)}

FILL = """
import sys
from dofkit.datasets import scenes
for item in scenes(int(sys.argv[1]), split="train", kind="selfie", size=(40, 32)):
    print(item.name, flush=True)
"""

DIE_BEFORE_THE_MOVE = """
import os, signal
from dofkit.datasets import scenes
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
scenes(1, split="train", kind="selfie", size=(40, 32))[0]
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True)


def same(one: Item, two: Item) -> bool:
    return one.name == two.name and all(np.array_equal(getattr(one, what), getattr(two, what))
                                        for what in ("image", "mask", "depth", "pairs"))


@pytest.fixture
def renders(monkeypatch) -> list[int]:
    """The seeds that were rendered, not read."""
    seeds: list[int] = []
    render = scene_cache.portrait_scene

    def counted(seed, *arguments, **settings):
        seeds.append(seed)
        return render(seed, *arguments, **settings)

    monkeypatch.setattr(scene_cache, "portrait_scene", counted)
    return seeds


def test_kept_and_fresh_scenes_are_equal_and_rendered_once(cache, renders):
    fresh = list(scenes(2, **ASK))
    kept = list(scenes(2, **ASK))
    assert renders == [0, 1]
    assert all(same(a, b) for a, b in zip(fresh, kept, strict=True))
    assert len(list(cache.rglob("*.npz"))) == 2
    item = kept[0]
    assert item.shape == (40, 32)
    assert item.mask.any()
    assert (item.depth > 0).all()
    assert np.array_equal(np.rint(item.image * 255) / np.float32(255), item.image)
    difference = item.depth[tuple(item.pairs[:, :2].T)] - item.depth[tuple(item.pairs[:, 2:4].T)]
    assert np.array_equal(np.sign(difference), item.pairs[:, 4])


def test_split_kind_size_and_version_have_their_own_files(cache, monkeypatch):
    others: tuple[dict, ...] = {}, {"split": "test"}, {"kind": "whole-body"}, {"size": (32, 40)}
    items = [scenes(1, **ASK | other)[0] for other in others]
    assert len({item.image.tobytes() for item in items}) == 4
    monkeypatch.setattr(scene_cache, "VERSION", scene_cache.VERSION + 1)
    scenes(1, **ASK)[0]
    assert len(list(cache.rglob("*.npz"))) == 5


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "bit", "other size", "no depth", "pickle"])
def test_what_cannot_be_read_is_rendered_anew(cache, renders, damage):
    fresh = scenes(1, **ASK)[0]
    path = next(cache.rglob("*.npz"))
    whole = path.read_bytes()
    if damage == "other size":
        np.savez(path, image=np.zeros((4, 4, 3), np.uint8), mask=np.zeros((4, 4), bool),
                 depth=np.ones((4, 4), np.float32), pairs=np.zeros((0, 5), np.int64))
    elif damage == "no depth":
        np.savez(path, image=np.zeros((40, 32, 3), np.uint8), mask=fresh.mask, pairs=fresh.pairs)
    elif damage == "pickle":
        np.savez(path, image=np.array([{}], object), mask=fresh.mask, depth=fresh.depth, pairs=fresh.pairs)
    else:
        flipped = bytearray(whole)
        flipped[300] ^= 4  # inside the image's compressed bytes
        path.write_bytes({"cut": whole[:-200], "empty": b"", "text": b"PK no", "bit": bytes(flipped)}[damage])
    assert same(scenes(1, **ASK)[0], fresh)
    assert renders == [0, 0]
    assert same(scenes(1, **ASK)[0], fresh)
    assert renders == [0, 0]


def test_two_processes_fill_one_cache(cache, renders):
    both = [start(FILL, "2"), start(FILL, "2")]
    outputs = [process.communicate(timeout=120)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1] == [f"train/selfie/{seed}" for seed in range(2)]
    kept = list(scenes(2, **ASK))
    assert renders == []
    assert len([path for path in cache.rglob("*") if path.is_file()]) == 2
    assert same(kept[1], scene_cache._render("train", "selfie", (40, 32), 1, kept[1].name))


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_writer_killed_in_the_middle_leaves_nothing_wrong(cache, renders):
    killed = start(DIE_BEFORE_THE_MOVE)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    parts = list(cache.rglob("*.part"))
    assert len(parts) == 1
    assert not list(cache.rglob("*.npz"))
    with unfinished_file(parts[0].with_name("000001.npz")) as (other, _):  # of a process that lives
        scenes(1, **ASK)[0]
        assert renders == [0]
        assert other.exists()
    assert [path.suffix for path in cache.rglob("*") if path.is_file()] == [".npz"]


def test_a_full_disk_costs_time_not_the_result(cache, renders, monkeypatch):
    fresh = scenes(1, **ASK)[0]
    next(cache.rglob("*.npz")).unlink()

    def full(*_):
        raise PhotoError("no space left on device")

    monkeypatch.setattr(scene_cache, "write_bytes", full)
    with pytest.warns(RuntimeWarning, match="not kept: no space left"):
        assert same(scenes(1, **ASK)[0], fresh)
    assert renders == [0, 0]


def test_a_cache_that_cannot_be_is_one_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("DOFKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="DOFKIT_CACHE"):
        scenes(1, **ASK)


def test_no_scenes_is_no_data_set(cache):
    with pytest.raises(ValueError, match="n must be"):
        scenes(0, **ASK)
