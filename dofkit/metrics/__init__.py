# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures behind every table: one picture in, one number out.

    IoU     |M and T| / |M or T|, of the person                         section 4.2, Table 1
    WHDR    share of ordinal pairs that the depth orders wrongly        section 4.3
    PSNR    10 log10(1 / mean squared error),  SSIM of Wang et al.      Table 2
    leak    colour error beside the body's edge, outside and inside     ours, for Fig. 11
    spread  (E (z_i - z_j)^2)^(1/2) over the body, Eq. 3 with delta = 0  ours, for Fig. 8
    step    how much of the depth's step at the body's edge is made within a few pixels   ours, for section 4.3

A number for a data set is the plain mean over its pictures. A measure that does not exist for a picture
(the boundary of an empty mask, the error rate of no pairs) is NaN, so that a table cannot hide it. Shapes
that do not fit and values out of range (logits, or 0-255, for a mask) raise ValueError.
"""

from dofkit.metrics.depths import body_spread, boundary_step, whdr
from dofkit.metrics.masks import iou, iou_near_boundary
from dofkit.metrics.pictures import Leak, boundary_leak, psnr, ssim

__all__ = ["Leak", "body_spread", "boundary_leak", "boundary_step", "iou", "iou_near_boundary", "psnr", "ssim", "whdr"]
