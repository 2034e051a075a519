# SPDX-License-Identifier: GPL-3.0-or-later
"""A published depth model as the coarse network, through transformers (the extra `dofkit[transformers]`).

    z = d or -d,    d what the model gives: metres, or, from most, something that grows towards the camera

`hub` says where models come from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dofkit.coarse.hub import ModelError, finite, load_model, model_folder, named, preparation, quiet


@dataclass(frozen=True)
class DepthModel:
    """A model that estimates depth: call it with a photograph.

    Attributes
    ----------
    name : str
        As it was asked for.
    sign : 1 or -1
        1 if the model's numbers are larger farther away.
    model : nn.Module
    prepare : callable
        From an (H, W, 3) photograph to the model's input, (1, 3, h, w).
    """

    name: str
    sign: int
    model: nn.Module
    prepare: Callable[[np.ndarray], Tensor]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Depth (H, W) float32 of a photograph (H, W, 3), larger = farther, no unit.

        Raises
        ------
        ModelError
            If the model gives numbers that are not finite.
        """
        device = next(self.model.parameters()).device
        with torch.inference_mode(), quiet():
            d = self.model(self.prepare(image).to(device)).predicted_depth
            d = F.interpolate(d.reshape(1, 1, *d.shape[-2:]), size=image.shape[:2], mode="bilinear")[0, 0]
        return self.sign * finite(d, self.name)


def load_depth(spec: str, *, device: str | torch.device = "cpu") -> DepthModel:
    """Load a model for depth estimation (Depth Anything, DPT, ZoeDepth, GLPN, ...).

    Parameters
    ----------
    spec : str
        A folder, or a name on the hub. Whether the model's numbers grow towards the camera or away from it is known
        of these families; "SPEC#nearer" or "SPEC#farther" says what a larger number means.
    device : where the model runs.

    Raises
    ------
    ModelError
        As `load_segmenter`; or it is not known what a larger number means.
    """
    name, wished = named(spec)
    folder = model_folder(name)
    config, model = load_model(folder, name, _monocular)
    sign = {"farther": 1, "nearer": -1, "": _sign(config)}.get(wished)
    if sign is None:
        raise ModelError(f"what does a larger number of '{name}' mean? Say '{name}#nearer' or '{name}#farther'")
    return DepthModel(name, sign, model.float().eval().to(device), preparation(folder, config, name))


def _monocular(library: Any, config: Any) -> Any:
    if type(config) in library.MODEL_FOR_DEPTH_ESTIMATION_MAPPING:
        return library.AutoModelForDepthEstimation
    raise ModelError(f"a '{config.model_type}' estimates no depth: choose Depth Anything, DPT, ZoeDepth, GLPN "
                     "or the like")


def _sign(config: Any) -> int | None:
    """1 where a family's numbers are metres, -1 where they grow towards the camera, None if nobody knows."""
    kind = getattr(config, "depth_estimation_type", None)
    if kind in ("relative", "metric"):
        return 1 if kind == "metric" else -1
    return {"dpt": -1, "zoedepth": 1, "glpn": 1, "depth_pro": 1}.get(config.model_type)
