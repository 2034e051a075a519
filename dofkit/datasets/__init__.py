# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets, all as sequences of one item type: scenes, the selfie set, CCP, DIW, any folder of pictures.

    paper, section 4.1                    here
    selfie set of Shen et al. [25]        selfie(split)          its own layout, and EG1800 re-packings
    Baidu, 5387 whole bodies, 500 held    folder(images, masks)  any copy; hold_out(500)
                                          ccp(split)             Clothing Co-Parsing, a stand-in
    Depth in the Wild [7]                 diw(csv, sign)         both of its annotation formats
    (no dense truth)                      scenes(n, split)       made by code, exact, always there
    "randomly change the aspect ratio     augment(item, rng)     moves image, mask, depth and pairs together
     and flip the image"

Nothing is downloaded. A copy of a data set is found below `root`, or the folder that the environment variable
DOFKIT_DATA names. Every reader checks the lists against the files and says what it left out:
`print(dataset)`.
"""

from dofkit.datasets.augmentation import augment, resize
from dofkit.datasets.ccp import ccp
from dofkit.datasets.diw import diw
from dofkit.datasets.folders import folder
from dofkit.datasets.item import DataError, Dataset, Item, data_folder
from dofkit.datasets.orders import orders_from_depth, orders_from_mask
from dofkit.datasets.scene_cache import scenes
from dofkit.datasets.selfie import selfie
from dofkit.datasets.variation import beside_person, set_before, vary

__all__ = [
    "DataError",
    "Dataset",
    "Item",
    "augment",
    "beside_person",
    "ccp",
    "data_folder",
    "diw",
    "folder",
    "orders_from_depth",
    "orders_from_mask",
    "resize",
    "scenes",
    "selfie",
    "set_before",
    "vary",
]
