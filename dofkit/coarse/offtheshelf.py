# SPDX-License-Identifier: GPL-3.0-or-later
"""A published segmentation model as the coarse network, through transformers (the extra `dofkit[transformers]`).

    v = log p(person) - log p(not person),    p = softmax over the model's classes,    so that m = 1 / (1 + exp(-v))

with p(person) the sum over those classes whose names are of a person. The model answers at its own size; v, not p,
is resized to the photograph, since the logits are what the networks of section 3.1 go on with.

`hub` says where models come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dofkit.coarse.hub import ModelError, finite, load_model, model_folder, named, preparation, quiet

PERSON = frozenset({
    "person", "people", "human", "man", "woman", "child", "boy", "girl", "baby", "pedestrian", "rider", "foreground",
})
"""Names of a class that is a person."""

PARTS = frozenset({"face", "hair", "skin", "head", "torso", "face neck"})
"""Names of a class that is a part of one, in models that take people apart."""

_QUERIES = ("maskformer", "mask2former")  # one mask and one distribution over classes for each of some 100 queries


@dataclass(frozen=True)
class PersonSegmenter:
    """A model that finds people: call it with a photograph.

    Attributes
    ----------
    name : str
        As it was asked for.
    labels : tuple of str
        The classes that count as the person.
    model : nn.Module
    prepare : callable
        From an (H, W, 3) photograph to the model's input, (1, 3, h, w).
    classes : tuple of int
        Indices of `labels`.
    """

    name: str
    labels: tuple[str, ...]
    model: nn.Module
    prepare: Callable[[np.ndarray], Tensor]
    classes: tuple[int, ...]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Logits of the person.

        Parameters
        ----------
        image : ndarray, (H, W, 3) float32
            sRGB in [0, 1].

        Returns
        -------
        ndarray, (H, W) float32
            v; positive where a person is likelier than not.

        Raises
        ------
        ModelError
            If the model gives numbers that are not finite.
        """
        device = next(self.model.parameters()).device
        with torch.inference_mode(), quiet():
            v = person_logits(class_logits(self.model(self.prepare(image).to(device))), self.classes)
            v = F.interpolate(v[:, None], size=image.shape[:2], mode="bilinear")[0, 0]
        return finite(v, self.name)


def load_segmenter(spec: str, *, device: str | torch.device = "cpu") -> PersonSegmenter:
    """Load a model for semantic segmentation (SegFormer, MobileViT, DPT, BEiT, Mask2Former, ...) that knows people.

    Parameters
    ----------
    spec : str
        A folder, or a name on the hub ("owner/model"), which is an explicit wish to download. Which classes are the
        person is told from their names; "SPEC#hat,hair" says it.
    device : where the model runs.

    Raises
    ------
    ModelError
        transformers is not installed; no such folder or model, or no network; a model of another kind, without
        trained weights for all it needs, or without a class that is a person (the message lists the classes).
    """
    name, wished = named(spec)
    folder = model_folder(name)
    config, model = load_model(folder, name, _semantic)
    names = {int(index): str(label) for index, label in config.id2label.items()}
    classes = _wished(wished, names, name) if wished else person_classes(names, name)
    labels = tuple(names[index] for index in classes)
    return PersonSegmenter(name, labels, model.float().eval().to(device), preparation(folder, config, name), classes)


def person_classes(names: dict[int, str], model: str = "") -> tuple[int, ...]:
    """Which classes make the person, from their names.

    Those named after people, with parts of them beside; where there are only parts, all but the background.

    >>> person_classes({0: "wall", 12: "person, individual, someone", 20: "car"})
    (12,)
    >>> person_classes({0: "Background", 1: "Hat", 2: "Hair", 3: "Upper-clothes", 4: "Face"})
    (1, 2, 3, 4)

    Raises
    ------
    ModelError
        If there are none, or all classes are; the classes are listed.
    """
    parts = [index for index, label in names.items() if _said(label) & PARTS]
    background = [index for index, label in names.items() if "background" in _said(label)]
    found = [index for index, label in names.items() if _said(label) & PERSON]
    if found:
        found = sorted({*found, *parts})
    elif parts and len(background) == 1:
        found = [index for index in names if index not in background]
    if not found or len(found) == len(names) > 1:
        raise ModelError(f"the model '{model}' has {'only' if found else 'no'} classes named after a person "
                         f"({_listed(names)}): say which are with '{model}#LABEL,LABEL', or choose another model")
    return tuple(found)


def class_logits(outputs: Any) -> Tensor:
    """A model's answer as (1, C, h, w) numbers whose softmax over C is p.

    For models with queries q, p(c) is proportional to sum_q p_q(c) m_q, "no object" left out [MaskFormer, Eq. 2].
    """
    if hasattr(outputs, "masks_queries_logits"):
        p = outputs.class_queries_logits.softmax(-1)[..., :-1]
        s = torch.einsum("nqc,nqhw->nchw", p, outputs.masks_queries_logits.sigmoid())
        return s.clamp_min(torch.finfo(s.dtype).tiny).log()
    logits: Tensor = outputs.logits
    return logits


def person_logits(logits: Tensor, classes: tuple[int, ...]) -> Tensor:
    """From (N, C, h, w) to v (N, h, w); a single class is a logit already.

    >>> person_logits(torch.tensor([2.0, 0.5]).view(1, 2, 1, 1), (0,))
    tensor([[[1.5000]]])
    """
    if logits.shape[1] == 1:
        return logits[:, 0]
    person = torch.zeros(logits.shape[1], dtype=torch.bool, device=logits.device)
    person[list(classes)] = True
    return logits[:, person].logsumexp(1) - logits[:, ~person].logsumexp(1)


def _semantic(library: Any, config: Any) -> Any:
    if config.model_type in _QUERIES:
        return library.AutoModelForUniversalSegmentation
    if type(config) in library.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING:
        return library.AutoModelForSemanticSegmentation
    raise ModelError(f"a '{config.model_type}' does no semantic segmentation: choose "
                     "SegFormer, MobileViT, DPT, BEiT, UPerNet, Mask2Former or the like")


def _wished(text: str, names: dict[int, str], model: str) -> tuple[int, ...]:
    """The classes that the user named, by any of their names."""
    found = []
    for wish in text.split(","):
        said = wish.strip().lower().replace("_", " ")
        meant = [index for index, label in names.items() if said in _said(label) and said]
        if not meant:
            raise ModelError(f"the model '{model}' has no class '{wish.strip()}': choose from {_listed(names)}")
        found += meant
    if len(set(found)) == len(names) > 1:
        raise ModelError(f"all classes of '{model}' are named as the person: leave out what is not ({_listed(names)})")
    return tuple(sorted(set(found)))


def _said(label: str) -> set[str]:
    return {name.strip().lower().replace("_", " ") for name in re.split("[,;/]", label)}


def _listed(names: dict[int, str], most: int = 30) -> str:
    labels = [label.partition(",")[0] for label in names.values()]
    return ", ".join(labels[:most]) + (f" and {len(labels) - most} more" if len(labels) > most else "")
