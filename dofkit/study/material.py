# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a study: a third of the pictures through a lens, a third ours, a third without depth, as in section 4.4.

Of test scenes (by day), or of the giver's own photographs. Every picture shows something else, so that nobody can
compare two of the same. What could tell the kinds apart without looking is taken away: names are random, all are JPEG
files of one quality and one length in bytes, written at once in the order of their names, and hold pixels alone.

A scene's photograph through the lens gets the noise and the compression that its sharp photograph has, which ours are
made of. Ours keep that noise on the person and blur it elsewhere, as the paper's do; whoever knows that may see it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.ablation import through_lens
from dofkit.colour import srgb_to_linear
from dofkit.files import FORMATS, PhotoError
from dofkit.parts import remove_abandoned, unfinished_folder
from dofkit.photo import encode_photo, read_photo
from dofkit.pipeline import PortraitMode
from dofkit.scenes import Scene, portrait_scene
from dofkit.scenes.sensor import expose
from dofkit.study.folder import FORMAT, KINDS, Study, StudyError, read_study

PAGE = "from dofkit.widgets.study import take_study\n\ntake_study()"
MOST = 100
"""Pictures of each kind, at most."""

Picture = NDArray[np.float32]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What a study is to be made of.

    Attributes
    ----------
    each : pictures of each kind, 2 to 100.
    size : long side in pixels, 96 to 2000; photographs that are smaller make all pictures smaller.
    seed : which pictures, which of them become what, and their names.
    photographs, slr : folders of the giver's own: sharp ones for ours and without depth, and ones through a real lens
        with a soft background; both or neither. Without them the pictures are test scenes.
    """

    each: int = 10
    size: int = 720
    seed: int = 0
    photographs: Path | None = None
    slr: Path | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.each <= MOST:
            raise StudyError(f"{self.each} pictures of each kind: choose 2 to {MOST}")
        if not 96 <= self.size <= 2000:
            raise StudyError(f"a long side of {self.size} pixels: choose 96 to 2000")
        if self.seed < 0:
            raise StudyError(f"the seed is {self.seed}: choose 0 or more")
        if (self.photographs is None) != (self.slr is None):
            missing = "--slr" if self.slr is None else "--photographs"
            raise StudyError("a study of photographs needs sharp ones and ones through a real lens: name a folder with "
                             f"{missing} as well, or neither for a study of scenes")


def build_study(folder: Path, plan: Plan, *, progress: Progress | None = None) -> Study:
    """Make a study in a new folder; nothing of it is there before all of it is.

    Parameters
    ----------
    folder : a new or empty folder. If it holds this very study of scenes already, that is returned as it is.
    plan : of what.
    progress : called with (pictures made, all pictures).

    Raises
    ------
    StudyError
        If there is something else in the folder, or there are too few photographs.
    PhotoError
        If a photograph cannot be read or nobody is found in it.
    """
    settings: dict[str, object] = {"each": plan.each, "size": plan.size, "seed": plan.seed,
                                   "photographs": plan.photographs is not None}
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if (folder / "study.json").is_file() and plan.photographs is None:
            there = read_study(folder)
            if there.settings == settings:
                return there
        raise StudyError(f"'{folder}' exists and holds something else than this study: name a new folder")
    if not folder.absolute().parent.is_dir():
        raise StudyError(f"there is no folder '{folder.absolute().parent}': make it first")
    rng = np.random.default_rng([plan.seed, plan.each])
    kinds = [KINDS[i] for i in rng.permutation(np.repeat(np.arange(len(KINDS)), plan.each))]
    make = _of_scenes if plan.photographs is None else _of_photographs
    files: dict[str, bytes] = {}
    key: dict[str, str] = {}
    for kind, picture in make(plan, kinds, rng):
        name = _new_name(files, rng)
        files[name], key[name] = encode_photo(Path(f"{name}.jpg"), picture), kind
        if progress is not None:
            progress(len(files), len(kinds))
    _write_study(folder, _of_one_length(files), key, settings)
    return read_study(folder)


def _of_scenes(plan: Plan, kinds: list[str], rng: np.random.Generator) -> Iterator[tuple[str, Picture]]:
    """A picture for each kind, each of another test scene."""
    shape = (plan.size, plan.size * 2 // 3)
    number = plan.seed * len(KINDS) * MOST
    for kind in kinds:
        while True:
            scene = portrait_scene(number, shape, "whole-body", "test")
            number += 1
            if scene.night:  # Eq. 10 cannot render clipped lamps, and everybody would see it
                continue
            with contextlib.suppress(PhotoError):  # nobody is found: the next one
                yield kind, _through_lens(scene, rng) if kind == "lens" else _render(scene.image, kind)
                break


def _through_lens(scene: Scene, rng: np.random.Generator) -> Picture:
    """The photograph that a camera with this lens would save: with noise and JPEG, as `Scene.image` has them."""
    light = srgb_to_linear(through_lens(scene, lens_points=128))
    noise, quality = rng.uniform(0.003, 0.010), rng.integers(88, 98)
    return expose(light, rng, noise=float(noise), quality=int(quality)).astype(np.float32)


def _render(photograph: Picture, kind: str) -> Picture:
    mode = PortraitMode(mode="whole-body", depth=kind == "ours")
    result: Picture = mode(np.asarray(photograph, np.float32)).result
    return result


def _of_photographs(plan: Plan, kinds: list[str], rng: np.random.Generator) -> Iterator[tuple[str, Picture]]:
    """A picture for each kind, each of another of the giver's photographs, all with one long side."""
    assert plan.photographs is not None
    assert plan.slr is not None
    sharp = _some(plan.photographs, 2 * plan.each, "--photographs", rng)
    real = _some(plan.slr, plan.each, "--slr", rng)
    if doubled := {file.resolve() for file in sharp} & {file.resolve() for file in real}:
        raise StudyError(f"'{min(doubled)}' stands in both folders: a picture is real or a portrait of ours, not both")
    files = [(real if kind == "lens" else sharp).pop() for kind in kinds]
    photos = [read_photo(file).image for file in files]
    side = min(plan.size, *(max(photo.shape[:2]) for photo in photos))
    for file, kind, photo in zip(files, kinds, photos, strict=True):
        scale = side / max(photo.shape[:2])
        width, height = (max(round(n * scale), 1) for n in (photo.shape[1], photo.shape[0]))
        small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA).clip(0, 1)
        try:
            yield kind, small if kind == "lens" else _render(small, kind)
        except PhotoError as error:
            raise PhotoError(f"'{file}': {error}; take it out of the folder") from error


def _some(folder: Path, number: int, option: str, rng: np.random.Generator) -> list[Path]:
    """So many of a folder's pictures, at random."""
    if not folder.is_dir():
        raise StudyError(f"{option}: there is no folder '{folder}'")
    visible = (file for file in folder.iterdir() if not file.name.startswith("."))
    there = sorted(file for file in visible if file.suffix.lower() in FORMATS)
    if len(there) < number:
        raise StudyError(f"{option}: '{folder}' holds {len(there)} pictures ({', '.join(FORMATS)}), needed are "
                         f"{number}: add some, or ask for fewer with --each")
    return [there[i] for i in rng.permutation(len(there))[:number]]


def _new_name(taken: dict[str, bytes], rng: np.random.Generator) -> str:
    while (name := rng.bytes(4).hex()) in taken:
        pass
    return name


def _of_one_length(files: dict[str, bytes]) -> dict[str, bytes]:
    """JPEG files with zeros behind their end, where nobody reads: a softer picture would make a shorter file."""
    longest = max(map(len, files.values()))
    return {name: data + bytes(longest - len(data)) for name, data in sorted(files.items())}


def _write_study(folder: Path, files: dict[str, bytes], key: dict[str, str], settings: dict[str, object]) -> None:
    """All files into a hidden neighbour, which then becomes the folder in one step."""
    number = hashlib.sha256(b"".join(name.encode() + data for name, data in files.items())).hexdigest()[:16]
    material = "photographs" if settings["photographs"] else "scenes"
    study = {"format": FORMAT, "id": number, "material": material, "settings": settings, "pictures": list(files)}
    texts = {"study.json": _json(study), "key.json": _json({"id": number, "kinds": dict(sorted(key.items()))}),
             "take_the_study.ipynb": _page()}
    target = folder.absolute()
    remove_abandoned(target.parent, target.name)
    try:
        with unfinished_folder(target) as part:
            (part / "pictures").mkdir()
            for name, data in files.items():
                (part / "pictures" / f"{name}.jpg").write_bytes(data)
            for name, text in texts.items():
                (part / name).write_text(text, encoding="utf-8")
            if folder.is_dir():
                folder.rmdir()
            part.rename(target)
    except OSError as error:
        raise StudyError(f"cannot write '{folder}' ({error.strerror}): free some space or choose another "
                         "place") from None


def _page() -> str:
    """A notebook that shows the page; it is opened from the study's own folder."""
    text = "Run the cell below (Shift and Enter), and the study begins. It can be left and taken up again at any time."
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "id": "welcome", "metadata": {}, "source": text},
        {"cell_type": "code", "id": "study", "metadata": {}, "source": PAGE, "execution_count": None, "outputs": []},
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return _json({"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
                  "nbformat": 4, "nbformat_minor": 5})


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
