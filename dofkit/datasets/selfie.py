# SPDX-License-Identifier: GPL-3.0-or-later
"""The selfie set of Shen et al. 2016 [25], the paper's front-camera data (section 4.1), as found on disk.

    [25]'s own       images_data_crop/00001.jpg  images_mask/00001_mask.mat  trainlist.mat, testlist.mat
    EG1800, grey     images_data_crop/00001.jpg  GT_png/00001_mask.png       either kind of lists
    EG1800, labels   Images/00001.png            Labels/00001.png            eg1800_train.txt, eg1800_test.txt

The paper trained on 1428 and tested on 283 of its 1800; which ones is unknown, and copies differ in what is
missing, so the lists are intersected with the files and the counts belong beside every result.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dofkit.datasets.folders import read_image, read_mask
from dofkit.datasets.item import DataError, Dataset, Item, PathLike, data_folder
from dofkit.datasets.matlab import read_mat

Split = Literal["train", "test", "unlisted", "all"]

LEAKS = ((203, 1175), (990, 971), (1016, 1023), (1182, 1179), (345, 320), (416, 523), (1246, 16))
"""(train, test): three pairs are one file twice, one is a shot in colour and in grey, three show one person
moments apart. Found by comparing all pictures at 16 x 16 px, shifted too, and then by eye."""

BAD_MASKS = (2040, 2188, 2238)
"""At least 98.9 % of the picture is marked as the person, who covers about half of it."""

_LAYOUTS = (
    ("images_data_crop/{:05d}.jpg", "images_mask/{:05d}_mask.mat"),
    ("images_data_crop/{:05d}.jpg", "GT_png/{:05d}_mask.png"),
    ("Images/{:05d}.png", "Labels/{:05d}.png"),
)


def selfie(split: Split, *, root: PathLike | None = None, leaks: bool = False) -> Dataset:
    """The selfie set: 600 x 800 portraits with a mask.

    Parameters
    ----------
    split
        "train", "test", "unlisted" (files in no list) or "all".
    root
        The folder that holds `selfie/` (or `EG1800/`), or that folder itself; DOFKIT_DATA if None.
    leaks
        Keep the photographs of `LEAKS`, which stand in both lists. Without them, both lists lose theirs, and
        a test score is clean; with them, it is what others report.

    Returns
    -------
    Dataset
        In the order of the file numbers; `BAD_MASKS` are always left out.

    Raises
    ------
    DataError
        If no layout or no list is found; on reading an item, if a file is broken.

    Examples
    --------
    >>> selfie("test", root="no such folder")
    Traceback (most recent call last):
    dofkit.datasets.item.DataError: looked for selfie/ in no such folder, which is no folder: ...
    """
    if split not in ("train", "test", "unlisted", "all"):
        raise ValueError(f'split must be "train", "test", "unlisted" or "all", not {split!r}')
    base = data_folder(root, "selfie", "EG1800")
    image, mask = _layout(base)
    on_disk = _numbers(base, image) & _numbers(base, mask)
    lists = _lists(base) if split != "all" else {}
    listed = lists[split] if split in lists else on_disk - set().union(*lists.values())
    leaked = set() if leaks else _leaked(lists)
    there = listed & on_disk
    numbers = sorted(there - set(BAD_MASKS) - leaked)
    counts = {"listed" if split in lists else "on disk": len(listed), "without a file": len(listed - there),
              "bad masks": len(there & set(BAD_MASKS)), "leaks left out": len(there & leaked)}
    if not numbers:
        raise DataError(f"selfie set, {split}: none of {len(listed)} photographs is in {base} "
                        f"as {image} with {mask}")
    return Dataset(f"selfie set, {split}", numbers, partial(_read, base, image, mask), counts)


def _layout(base: Path) -> tuple[str, str]:
    for image, mask in _LAYOUTS:
        if (base / image).parent.is_dir() and (base / mask).parent.is_dir():
            return image, mask
    wanted = "; ".join(f"{Path(image).parent}/ and {Path(mask).parent}/" for image, mask in _LAYOUTS)
    raise DataError(f"no selfie set in {base}: looked for {wanted}")


def _numbers(base: Path, pattern: str) -> set[int]:
    end = pattern.partition("{:05d}")[2]
    stems = (path.name.removesuffix(end) for path in (base / pattern).parent.glob(f"*{end}"))
    return {int(stem) for stem in stems if len(stem) == 5 and stem.isascii() and stem.isdigit()}


def _lists(base: Path) -> dict[str, set[int]]:
    return {"train": _list(base, "train"), "test": _list(base, "test", "val")}


def _leaked(lists: dict[str, set[int]]) -> set[int]:
    if not lists:
        return set()
    crossing = (pair for pair in LEAKS if all(numbers.intersection(pair) for numbers in lists.values()))
    return {number for pair in crossing for number in pair}


def _list(base: Path, *names: str) -> set[int]:
    files = {path.name.lower(): path for path in base.iterdir()}
    for name in names:
        if f"{name}list.mat" in files:
            return set(read_mat(files[f"{name}list.mat"], f"{name}list").ravel().tolist())
        if f"eg1800_{name}.txt" in files:
            return _text_list(files[f"eg1800_{name}.txt"])
    raise DataError(f"the selfie set in {base} has no list: looked for "
                    + ", ".join(f"{name}list.mat, eg1800_{name}.txt" for name in names))


def _text_list(path: Path) -> set[int]:
    try:
        stems = [Path(line.split()[0]).stem for line in path.read_text("utf-8").splitlines() if line.strip()]
        return {int(stem) for stem in stems}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a list of names like 00001.png, one a line ({error})") from error


def _read(base: Path, image: str, mask: str, number: int) -> Item:
    path = base / mask.format(number)
    person: NDArray[np.bool_] = (read_mat(path, "mask", ndim=2) > 0 if path.suffix == ".mat"
                                 else read_mask(path, threshold=0.0))
    return Item(read_image(base / image.format(number)), person, name=f"{number:05d}")
