# SPDX-License-Identifier: GPL-3.0-or-later
"""What the paper reports, as data: each number with its unit and section, so that no notebook types one in.

Xu, Sun, Liu, Ren, Zhang, Yang, Sun: "Rendering Portraitures from Monocular Camera and Beyond", ECCV 2018.

The text that this was taken from states the numbers below; the cells of Table 1 and Table 2 are pictures in
it and are not available here. They are None, and stay None until somebody can quote them. Nothing in this
module was measured by this kit, and nothing of it may share a column with what was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CITATION = (
    "X. Xu, D. Sun, S. Liu, W. Ren, Y.-J. Zhang, M.-H. Yang, J. Sun: "
    "Rendering Portraitures from Monocular Camera and Beyond. ECCV 2018"
)


@dataclass(frozen=True)
class Value:
    """One number that the paper states.

    Attributes
    ----------
    value
        The number as printed; None if it is not available here.
    unit
        ``"%"``, ``"s"``, ``"px"``, ``"images"``, ``"votes"``, or empty.
    section
        Where it stands: ``"4.2"``, ``"Table 1"``.
    says
        What it is, in our words.
    note
        What a reader must know before comparing with it.
    """

    value: float | None
    unit: str
    section: str
    says: str
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """One quantitative or comparative statement of the text; its id is its name in `figures/manifest.toml`.

    Attributes
    ----------
    id
        The name.
    section
        Where it stands.
    sentence
        The statement in our words.
    reported
        The numbers it rests on; empty for a comparison shown in pictures alone.
    """

    id: str
    section: str
    sentence: str
    reported: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Row:
    """One row of a table of the paper: a method and its cells, None where not available here."""

    method: str
    cells: tuple[float | None, ...]
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    Examples
    --------
    >>> TABLE_2.columns, TABLE_2.rows[-1].cells
    (('PSNR', 'SSIM'), (None, None))
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    units: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str


_CELLS = "the cells are not in the text that was available"

TABLE_1 = Table(
    name="Table 1",
    caption="Segmentation methods on the selfie test set of [25]",
    columns=("IoU",),
    units=("%",),
    rows=(
        Row("graph cut", (None,)),
        Row("FCNN, finetuned", (None,), "[23], finetuned on the selfie training set"),
        Row("ours (SPN)", (None,), "called the state of the art on selfies"),
    ),
    note=f"{_CELLS}; rows as far as the caption and the text name them",
)

TABLE_2 = Table(
    name="Table 2",
    caption="Deep networks that learn the depth-of-field effect, on the Baidu test set",
    columns=("PSNR", "SSIM"),
    units=("dB", ""),
    rows=(
        Row("Xu et al. [31]", (None, None)),
        Row("Liu et al. [21]", (None, None)),
        Row("CNN with mask and depth", (None, None), "the encoder-decoder of the guidance network"),
        Row("ours (RNN filter)", (None, None), "said to lead in both measures"),
    ),
    note=_CELLS,
)

NEAREST_TO_TABLE_1 = Table(
    name="nearest evidence for Table 1",
    caption="[25]'s own figures, on its 300 test images: not the paper's",
    columns=("mean IoU",),
    units=("%",),
    rows=(Row("graph cut", (80.02,)), Row("FCN-8s, person", (73.09,)), Row("PortraitFCN+", (95.91,))),
    note="Shen et al. 2016, another test set than the paper's 283 images",
)

LATER_ON_EG1800 = Table(
    name="later networks",
    caption="Reported by their authors on EG1800, a repacking of the same selfies",
    columns=("mean IoU",),
    units=("%",),
    rows=(Row("PortraitNet", (96.92,)), Row("SINet", (95.2,)), Row("ExtremeC3", (94.98,))),
    note="published after the paper; for orientation only",
)

IOU_WHOLE_BODY = Value(93.22, "%", "4.2", "IoU of the SPN on 500 whole-body test images (Baidu)")
IOU_WHOLE_BODY_COARSE = Value(91.43, "%", "4.2", "IoU of the finetuned coarse model [20] on the same images")
WHDR_SPN = Value(
    14.35,
    "%",
    "4.3",
    "WHDR of the depth SPN on the DIW test set",
    "one point pair an image; with or without Eq. 3 is not said",
)
WHDR_COARSE = Value(
    14.39, "%", "4.3", "WHDR of the coarse model [7] on the DIW test set", "called slightly worse"
)

STUDY_SUBJECTS = Value(22, "subjects", "4.4", "people who took the user study")
STUDY_IMAGES = Value(10, "images", "4.4", "pictures of each of three kinds that each subject saw")
STUDY_SLR = Value(
    81.8, "%", "4.4", "votes 'real' for photographs by a single-lens reflex camera", "180 of 220"
)
STUDY_OURS = Value(79.1, "%", "4.4", "votes 'real' for the paper's portraits", "174 of 220")
STUDY_NO_DEPTH = Value(13.2, "%", "4.4", "votes 'real' for blur without depth", "29 of 220")
STUDY_COUNTS = {"SLR": 180, "ours": 174, "no depth": 29}
"""Votes "real" out of 22 x 10 = 220 each: the only whole numbers that give the printed percentages."""

SECONDS_CRF = Value(8.0, "s", "4.5", "the CRF path on one 500x300 picture", "'about'; i7, 8 GB, GTX 1060")
SECONDS_RNN = Value(1.12, "s", "4.5", "the RNN filter on the same picture", "the same machine")

LAYERS = Value(6, "", "4.1", "K, the number of depth layers")
LAMBDA = Value(10, "", "4.1", "lambda, the weight of smoothness in Eq. 7")
TRIMAP_BAND = Value(
    10,
    "px",
    "4.1",
    "unknown region of the trimap on each side of the mask's boundary",
    "of which size of picture is not said; [25] has 600x800: the kit takes 10 px of 500 and scales them",
)
LEARNING_RATE = Value(1e-4, "", "4.1", "learning rate of all networks (SGD)")
MOMENTUM = Value(0.9, "", "4.1", "momentum of all networks (SGD)")
SELFIE_TRAIN = Value(1428, "images", "4.1", "selfie training set [25]")
SELFIE_TEST = Value(283, "images", "4.1", "selfie test set [25]", "which 283 is not known")
BAIDU_ALL = Value(5387, "images", "4.1", "Baidu human segmentation set [29]")
BAIDU_TEST = Value(500, "images", "4.1", "of which held out for testing", "which 500 is not known")
DIW_TRAIN = Value(421_000, "images", "4.1", "Depth in the Wild, training", "printed as 421K")
DIW_TEST = Value(74_000, "images", "4.1", "Depth in the Wild, test", "printed as 74K")
RNN_PAIRS = Value(
    5_000, "images", "4.1", "training pairs of the RNN filter, made by the CRF path", "printed as 5K"
)
RNN_TEST = Value(100, "images", "4.1", "portraits on which the RNN filter is evaluated")

DELTA = Value(None, "", "3.2", "delta, the margin of Eq. 3", "not stated")
FEATHER = Value(None, "px", "3.3", "width of the Gaussian g of Eq. 10", "not stated")
RADII = Value(
    None, "px", "3.3", "radii r^l of the layers' discs", "not stated; farther layers have larger ones"
)

CLAIMS = (
    Claim("iou_selfie_best", "4.2", "On selfies the SPN has the best IoU of the compared methods."),
    Claim(
        "iou_whole_body",
        "4.2",
        "On whole bodies the SPN improves the coarse model's IoU.",
        (IOU_WHOLE_BODY, IOU_WHOLE_BODY_COARSE),
    ),
    Claim(
        "whdr_diw",
        "4.3",
        "On DIW the depth SPN orders points about as well as the coarse model.",
        (WHDR_SPN, WHDR_COARSE),
    ),
    Claim("body_depth_consistency", "4.3", "Training with Eq. 3 makes the depth of a body more even."),
    Claim("guided_kernel_halo", "3.3", "The guided kernel (Eq. 6) removes the glow around a person."),
    Claim(
        "study_real_votes",
        "4.4",
        "Subjects took the paper's portraits for SLR photographs nearly as often as "
        "real ones, and blur without depth seldom.",
        (STUDY_SLR, STUDY_OURS, STUDY_NO_DEPTH),
    ),
    Claim("ablation_each_part", "4.4", "Without depth, SPN, CRF or guided kernel the picture is worse."),
    Claim(
        "rnn_beats_competitors",
        "4.5",
        "The RNN filter is nearer to the CRF results, in PSNR and SSIM, than a CNN, [21] and [31].",
    ),
    Claim(
        "running_time",
        "4.5",
        "At 500x300 the RNN filter is faster than the CRF path.",
        (SECONDS_CRF, SECONDS_RNN),
    ),
)


def claim(name: str) -> Claim:
    """The claim of that id.

    Raises
    ------
    KeyError
        If there is none; the message lists those there are.

    Examples
    --------
    >>> [value.value for value in claim("running_time").reported]
    [8.0, 1.12]
    """
    for one in CLAIMS:
        if one.id == name:
            return one
    raise KeyError(f"no claim {name!r}; there are {', '.join(one.id for one in CLAIMS)}")


def values() -> Iterator[tuple[str, Value]]:
    """Every single number of the paper with the name it has in this module."""
    return ((name, value) for name, value in globals().items() if isinstance(value, Value))
