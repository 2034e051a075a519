# SPDX-License-Identifier: GPL-3.0-or-later
"""Portraits made by code, with exact depth, matte, background and a thin lens: the kit's embedded data.

`portrait_scene(seed, size, kind, split)` gives a `Scene`; `lens` is the physics of its photographs.
"""

from dofkit.scenes.lens import LensError
from dofkit.scenes.scene import KINDS, SPLITS, VERSION, Scene, SceneError, portrait_scene
from dofkit.scenes.sensor import develop

__all__ = ["KINDS", "SPLITS", "VERSION", "LensError", "Scene", "SceneError", "develop", "portrait_scene"]
