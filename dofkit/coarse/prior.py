# SPDX-License-Identifier: GPL-3.0-or-later
"""The first depth without networks: lower is nearer, and the person stands where the feet are.

    z(y) = 1 - y / (H - 1)        z(person) = z(feet)

Nothing of the picture but the height of a pixel is used: whoever trains a depth network must beat this.
"""

from __future__ import annotations

import cv2
import numpy as np


def lower_is_nearer(mask: np.ndarray) -> np.ndarray:
    """Guess depth from height in the picture: lower is nearer, and the person stands where the feet are.

    Parameters
    ----------
    mask : ndarray, (H, W)
        The person, in [0, 1].

    Returns
    -------
    ndarray, (H, W) float32
        In [0, 1], larger is farther; the background falls from 1 in the top row to 0 in the bottom row.

    Examples
    --------
    >>> lower_is_nearer(np.array([[0, 0], [0, 1], [0, 1], [0, 0], [0, 0]]))
    array([[1.  , 1.  ],
           [0.75, 0.5 ],
           [0.5 , 0.5 ],
           [0.25, 0.25],
           [0.  , 0.  ]], dtype=float32)
    """
    height, width = mask.shape
    ground = np.linspace(1, 0, height, dtype=np.float32) if height > 1 else np.ones(1, np.float32)
    depth = np.repeat(ground[:, None], width, axis=1)
    person = np.asarray(mask) > 0.5
    if person.any():
        _, _, stats, _ = cv2.connectedComponentsWithStats(person.astype(np.uint8))
        largest = stats[1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])]  # a speck in the mask is no foot
        depth[person] = ground[largest[cv2.CC_STAT_TOP] + largest[cv2.CC_STAT_HEIGHT] - 1]
    return depth
