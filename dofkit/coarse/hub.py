# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of others, through transformers (the extra `dofkit[transformers]`): where they come from, what goes in.

    a folder, as `save_pretrained` leaves it    read without any network
    OWNER/MODEL, if no folder                   downloaded from the Hugging Face hub, then kept in its cache

Only .safetensors are read, no pickles, and no code that comes with a model is run. A photograph is prepared by the
model's own image processor where there is one, else as most models want it (`prepared`); it is never cropped or
padded, so that what comes out can be stretched back over the photograph.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

DEFAULT_SIDE = 512
"""Where a folder has no image processor: the picture gets about this side squared, or what the model was made for."""

# ImageNet's, which nearly all encoders start from
_MEAN, _STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
_LEAST = 16  # px, the shorter side of what a processor is given
_FILES = ("config.json", "preprocessor_config.json", "processor_config.json", "model*.safetensors",
          "model.safetensors.index.json")


class ModelError(ValueError):
    """A model that cannot be had or used; the message says why and what to do."""


def named(spec: str) -> tuple[str, str]:
    """A model's folder or name, and what is said after a #.

    >>> named("owner/model#hat,hair")
    ('owner/model', 'hat,hair')
    """
    if spec.startswith("#") or not spec.strip():
        raise ModelError("no model is named: give a folder with config.json and model.safetensors, or OWNER/MODEL")
    name, _, wished = (spec, "", "") if Path(spec).is_dir() else spec.partition("#")
    return name, wished


def finite(values: Tensor, name: str) -> np.ndarray:
    """What a model gave, as an array, or a ModelError if it holds NaN or infinities."""
    if not bool(values.isfinite().all()):
        raise ModelError(f"the model '{name}' gives numbers that are not finite: its weights are damaged")
    return values.float().cpu().numpy()


def model_folder(name: str) -> Path:
    """The folder of a model: given, or in the hub's cache once it is downloaded.

    Raises
    ------
    ModelError
        transformers is not installed; neither a folder nor a name; no such model on the hub, or no network.
    """
    hub, _ = libraries()
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists() or not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        raise ModelError(f"there is no folder '{name}' and no such name can be on the Hugging Face hub: give a folder "
                         "with config.json and model.safetensors, or OWNER/MODEL")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=list(_FILES)))
    except Exception as error:  # the network fails in every way
        why = {"RepositoryNotFoundError": "the hub has no such model, or only for members",
               "LocalEntryNotFoundError": "it is not in the cache and the hub cannot be reached"}
        reason = why.get(type(error).__name__, first_line(error))
        raise ModelError(f"cannot get the model '{name}', which is no folder here ({reason}): check the name and the "
                         "network, or give a folder with config.json and model.safetensors") from error


def load_model(folder: Path, name: str, choose: Callable[[Any, Any], Any]) -> tuple[Any, nn.Module]:
    """Configuration and model, complete, from safetensors.

    Parameters
    ----------
    folder : Path
    name : str
        For messages.
    choose : callable
        From (transformers, configuration) to the Auto class that loads it, or an error of its own.

    Raises
    ------
    ModelError
        Damaged or incomplete; a part of the model would start from random numbers.
    """
    _, library = libraries()
    if not (folder / "config.json").is_file():  # else transformers guesses from the folder's name
        raise ModelError(f"there is no config.json in the folder of '{name}': give one that `save_pretrained` made")
    try:
        with quiet():
            config = library.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            loader = choose(library, config)
            model, told = loader.from_pretrained(folder, config=config, local_files_only=True, use_safetensors=True,
                                                 trust_remote_code=False, output_loading_info=True)
    except ModelError as error:
        raise ModelError(f"the model '{name}' cannot be used: {error}") from error
    except Exception as error:  # damaged files, missing libraries, odd configurations: nearly anything
        raise ModelError(f"the model '{name}' cannot be loaded ({first_line(error)}): it needs config.json and "
                         "model.safetensors that belong together") from error
    # Heads of the training only: nothing is missing from the answer without them
    missing = sorted(key for key in told["missing_keys"] if not re.search("auxiliary|criterion", key))
    if missing:
        raise ModelError(f"the model '{name}' was not trained for what it is asked: its file has no {missing[0]}"
                         + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""))
    return config, model


def preparation(folder: Path, config: Any, name: str) -> Callable[[np.ndarray], Tensor]:
    """What turns an (H, W, 3) photograph into the model's input (1, 3, h, w).

    Raises
    ------
    ModelError
        If the folder's image processor is damaged.
    """
    if not any((folder / file).exists() for file in ("preprocessor_config.json", "processor_config.json")):
        return lambda image: prepared(image, getattr(config, "image_size", None))
    _, library = libraries()
    try:
        with quiet():
            processor = library.AutoImageProcessor.from_pretrained(folder, local_files_only=True,
                                                                   trust_remote_code=False)
    except Exception as error:  # as above
        raise ModelError(f"the image processor of '{name}' cannot be loaded ({first_line(error)}): repair or remove "
                         "preprocessor_config.json") from error
    processor.do_center_crop = processor.do_pad = False

    def prepare(image: np.ndarray) -> Tensor:
        pixels: Tensor = processor(images=_picture(image), return_tensors="pt")["pixel_values"]
        return pixels

    return prepare


def prepared(image: np.ndarray, size: int | None = None) -> Tensor:
    """A photograph as most models want it: sized, and with ImageNet's mean and deviation 0 and 1.

    Parameters
    ----------
    image : ndarray, (H, W, 3) float32
    size : int, optional
        Both sides; None keeps the aspect at about 512x512 pixels, with sides that 32 divides.

    >>> prepared(np.zeros((300, 500, 3), np.float32)).shape
    torch.Size([1, 3, 384, 672])
    """
    height, width = image.shape[:2]
    scale = DEFAULT_SIDE / (height * width) ** 0.5
    sides = [max(1, round(side * scale / 32)) * 32 for side in (height, width)]
    height, width = (size, size) if isinstance(size, int) else sides
    small = _picture(image).resize((width, height), Image.Resampling.BILINEAR)
    x = (np.asarray(small, np.float32) / 255 - _MEAN) / _STD
    return torch.from_numpy(x.transpose(2, 0, 1)[None].copy())


def _picture(image: np.ndarray) -> Image.Image:
    picture = Image.fromarray(np.round(np.clip(image, 0, 1) * 255).astype(np.uint8))
    if min(picture.size) >= _LEAST:
        return picture
    # In a side of 1 or 3 pixels processors see channels
    return picture.resize((max(picture.width, _LEAST), max(picture.height, _LEAST)), Image.Resampling.NEAREST)


def libraries() -> tuple[Any, Any]:
    """The modules huggingface_hub and transformers, or an error that says how to get them."""
    try:
        import huggingface_hub
        import transformers
    except ImportError as error:
        raise ModelError("models of others need transformers, which is not installed: "
                         "pip install 'dofkit[transformers]'") from error
    return huggingface_hub, transformers


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from talking; what matters is raised."""
    log = libraries()[1].utils.logging
    level, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(level)
        if bar:
            log.enable_progress_bar()


def first_line(error: Exception) -> str:
    """What a library says, as part of a sentence."""
    return (str(error).strip() or type(error).__name__).partition("\n")[0].rstrip(".: ")
