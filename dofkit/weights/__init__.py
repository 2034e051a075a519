# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained weights as files: small, plain numbers, checked to the last byte, and never without their card.

    NAME.safetensors    tensors, float16; metadata: version of the format, network, arguments, sha256 of it all
    NAME.md             the card: data, profile, seed, steps, metrics

float16 keeps 11 binary digits: a weight w comes back within 2^-11 |w| (0.05 %), or within 2^-25 where |w| < 2^-14.
What a card says should be measured after `load_weights`, on the rounded weights. Whole numbers (the counters of batch
normalisation) stay as they are. What comes with the package lies in this folder, at most 8 MB a file and 25 MB
together; weights of your own may have up to 1 GB. `container` is the file's format.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dofkit.files import write_together
from dofkit.weights.container import FORMAT, MAX_BYTES, SUFFIX, Metadata, WeightsError, inspect, pack, reason, unpack

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "FORMAT", "MAX_BYTES", "Metadata", "WeightsError", "card", "load_weights", "metadata", "names", "save_weights",
    "shipped",
]

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Names of the weights that come with the package, sorted."""
    return sorted(file.stem for file in _FOLDER.glob(f"*{SUFFIX}"))


def shipped(name: str) -> Path:
    """File of weights that come with the package.

    >>> shipped("nothing of that name")
    Traceback (most recent call last):
    dofkit.weights.container.WeightsError: no weights 'nothing of that name' come with dofkit: ...
    """
    if name not in names():
        has = f"choose from {', '.join(names())}" if names() else "none do yet"
        raise WeightsError(f"no weights '{name}' come with dofkit: {has}, or give the path of a {SUFFIX} file")
    return _FOLDER / f"{name}{SUFFIX}"


def card(path_or_name: str | os.PathLike[str]) -> str:
    """Text (markdown) of the card of some weights: what they were trained on and how well they do.

    Raises
    ------
    WeightsError
        If there are no such weights, or no card beside them.
    """
    file = _find(path_or_name).with_suffix(".md")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"cannot read the card '{file}' ({reason(error)}): copy it to its weights again") from error


def metadata(path_or_name: str | os.PathLike[str]) -> Metadata:
    """Read what a file of weights says of itself; its tensors stay on disk, and its sha256 is not checked.

    Raises
    ------
    WeightsError
        As `load_weights`, but for the tensors.
    """
    return inspect(_find(path_or_name))


def save_weights(
    path: str | os.PathLike[str], model: nn.Module, *, network: str, arguments: dict[str, Any], card: str
) -> Path:
    """Write the weights of a network, rounded to float16, and their card beside them: both files or neither.

    The same weights give the same bytes.

    Parameters
    ----------
    path : path
        NAME.safetensors; what is there is replaced, and so is NAME.md.
    model : nn.Module
        On any device; left as it is.
    network : str
        Name of its builder in the mapping that `load_weights` is given.
    arguments : dict
        What the builder is called with; of JSON's types only.
    card : str
        Markdown: data, profile, seed, steps, metrics.

    Returns
    -------
    Path
        The file of weights.

    Raises
    ------
    WeightsError
        No such suffix, an empty card, arguments that JSON cannot hold, numbers that float16 cannot hold, more than
        `MAX_BYTES`. PhotoError where the files cannot be written.
    """
    file = Path(path)
    if file.suffix != SUFFIX:
        raise WeightsError(f"cannot write weights to '{file}': the name must end in {SUFFIX}")
    if not card.strip():
        raise WeightsError(f"'{file}' needs a card: say what the weights were trained on, how, and how well they do")
    if not _plain(arguments):
        raise WeightsError(f"cannot write '{file}': JSON cannot hold the network's arguments {arguments!r}; use only "
                           "numbers, texts, true, false, lists, and mappings of texts to these")
    tensors = {name: _rounded(name, value, file) for name, value in model.state_dict().items()}
    data = pack(tensors, network, arguments)
    if len(data) > MAX_BYTES:
        raise WeightsError(f"cannot write '{file}': it would take {len(data) / 1e6:.1f} MB, over the limit of "
                           f"{MAX_BYTES / 1e6:,.0f} MB; train a narrower network")
    write_together({file: data, file.with_suffix(".md"): card.encode()})
    return file


def load_weights(
    path_or_name: str | os.PathLike[str], builders: Mapping[str, Callable[..., nn.Module]]
) -> nn.Module:
    """Build the network that a file of weights names, and give it these weights.

    Parameters
    ----------
    path_or_name : path or str
        A file, or the bare name of weights that come with the package (a file of that name goes first).
    builders : mapping
        From the names of networks to what builds them. A builder is called twice: the first time on torch's device
        "meta", where tensors have shapes but no memory, so that a wrong file costs nothing.

    Returns
    -------
    nn.Module
        In eval mode, float32, on the CPU. torch's random numbers go on as if nothing had been built.

    Raises
    ------
    WeightsError
        Missing, a folder, empty, cut short, changed, not safetensors, not of dofkit, of another version, too large,
        of an unknown network, or with tensors that do not fit it.

    Examples
    --------
    >>> import tempfile, torch
    >>> line = torch.nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = save_weights(Path(folder, "line.safetensors"), line, network="line",
    ...                         arguments={"in_features": 2, "out_features": 1}, card="# A line")
    ...     again = load_weights(file, {"line": torch.nn.Linear})
    >>> bool((again.weight == line.weight.half()).all())
    True
    """
    import torch

    file = _find(path_or_name)
    told = inspect(file)
    if told.network not in builders:
        raise WeightsError(f"'{file}' holds a network '{told.network}', which is not known here: "
                           f"choose weights of {' or '.join(sorted(builders)) or 'another kind'}")
    tensors = unpack(file)
    build = builders[told.network]
    try:
        with torch.device("meta"):
            _check_fit(file, tensors, build(**told.arguments).state_dict())
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            model = build(**told.arguments)
    except WeightsError:
        raise
    except Exception as error:  # what a network makes of foreign arguments: wrong types, zero or 10**12 channels
        raise WeightsError(f"'{file}' asks for a network '{told.network}' that this version of dofkit cannot build "
                           f"({error}): train it again, or use the version that made it") from error
    model.load_state_dict(tensors)
    return model.eval()


def _find(path_or_name: str | os.PathLike[str]) -> Path:
    """The file that is meant: a path, or else the name of shipped weights."""
    file = Path(path_or_name)
    bare = isinstance(path_or_name, str) and file.name == path_or_name and file.suffix != SUFFIX
    return shipped(file.name) if bare and not os.path.lexists(file) else file


def _check_fit(file: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and kinds of numbers; `wanted` may lie on "meta"."""
    def kind(tensor: Tensor | None) -> str:
        if tensor is None:
            return "nothing"
        return f"{'numbers' if tensor.is_floating_point() else 'whole numbers'} of shape {tuple(tensor.shape)}"

    wrong = [f"{name} is {kind(tensors.get(name))} and should be {kind(wanted.get(name))}"
             for name in sorted({*tensors, *wanted}) if kind(tensors.get(name)) != kind(wanted.get(name))]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise WeightsError(f"the tensors in '{file}' do not fit the network it names ({wrong[0]}{more}): use the "
                           "version of dofkit that made it, or train it again")


def _rounded(name: str, value: Tensor, file: Path) -> Tensor:
    """A copy on the CPU, in float16 if these are no whole numbers."""
    value = value.detach().cpu().clone().contiguous()
    if not value.is_floating_point():
        return value
    half = value.half()
    if not half.isfinite().all():
        raise WeightsError(f"cannot write '{file}': {name} holds numbers that are not finite or over 65504, which "
                           "float16 cannot hold; the training went wrong")
    return half


def _plain(arguments: object) -> bool:
    """Whether JSON gives back what it was given."""
    try:
        return bool(isinstance(arguments, dict) and json.loads(json.dumps(arguments, allow_nan=False)) == arguments)
    except (TypeError, ValueError, RecursionError):
        return False
