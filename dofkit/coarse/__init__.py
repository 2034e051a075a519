# SPDX-License-Identifier: GPL-3.0-or-later
"""The first guess: a coarse mask m and a coarse depth z, which the propagation networks then refine.

    grabcut.py       mask: graph cut from a face (the "graph cut" of Table 1)     grabcut_mask
    prior.py         depth: lower is nearer                                       lower_is_nearer
    network.py       mask: the kit's own small network (the role of [20])         imports torch
    offtheshelf.py   mask: a published segmentation model through transformers    imports torch

The names below come without torch; the two modules that need it are imported by their own names.
"""

from dofkit.coarse.grabcut import CoarseMask, Mode, body_outline, grabcut_mask
from dofkit.coarse.prior import lower_is_nearer

__all__ = ["CoarseMask", "Mode", "body_outline", "grabcut_mask", "lower_is_nearer"]
