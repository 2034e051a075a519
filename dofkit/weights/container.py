# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of weights itself: a safetensors file whose header says what it is and seals it.

    8 bytes: length of the header | header (JSON) | tensors
    header: {"__metadata__": {"dofkit": "{version, network, arguments, sha256}"}, tensor: {dtype, shape, place}, ...}

The sha256 is that of the file itself with zeros in place of the sha256: one flipped bit anywhere is found, which
safetensors alone would not notice. All of the metadata is one entry, because safetensors writes several in an order
that changes from run to run. Sizes are judged before anything is read, and nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
"""Version of the format; files of another one are refused."""

MAX_BYTES = 1_000_000_000
"""Largest file of weights that is written or read; the SPN at VGG-16's full width takes 70 MB."""

SUFFIX = ".safetensors"
_MAX_HEADER = 1_000_000  # bytes; VGG-16's mirror image, the largest network here, needs some 10,000
_KEY = "dofkit"
_BLANK = "0" * 64
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x04", b"\x80\x05")  # torch.save, new and old
_REMEDY = "copy it once more, or train it again"


class WeightsError(ValueError):
    """Weights that cannot be used; the message says what was wrong with which file and what to do."""


@dataclass(frozen=True)
class Metadata:
    """What a file of weights says of itself.

    Attributes
    ----------
    network : str
        Name of the network's builder.
    arguments : dict
        What the builder is called with.
    sha256 : str
        Of the file (see above), to be named wherever results are kept.
    numbers : int
        How many numbers the tensors hold.
    """

    network: str
    arguments: dict[str, Any]
    sha256: str
    numbers: int


def pack(tensors: dict[str, Tensor], network: str, arguments: dict[str, Any]) -> bytes:
    """The whole file; the same bytes for the same content.

    Parameters
    ----------
    tensors : dict of tensors on the CPU, contiguous.
    network, arguments : as in `Metadata`.
    """
    import safetensors.torch

    told = {"version": FORMAT, "network": network, "arguments": arguments, "sha256": _BLANK}
    blank = safetensors.torch.save(tensors, {_KEY: json.dumps(told, sort_keys=True)})
    return blank.replace(_BLANK.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


def inspect(file: Path) -> Metadata:
    """Read what the header says; nothing larger than the header is read, and the sha256 is not checked.

    Raises
    ------
    WeightsError
        Missing, no file, empty, cut short inside the header, too large, a pickle, not safetensors, not of dofkit, of
        another version.
    """
    broken = f"'{file}' is damaged or no {SUFFIX} file: {_REMEDY}"
    try:
        header = json.loads(_header(file))
        entry = header.pop("__metadata__", {}).get(_KEY)
        numbers = sum(math.prod(_shape(tensor["shape"])) for tensor in header.values())
        told = json.loads(entry) if entry is not None else None
    except WeightsError:
        raise
    except (ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:
        raise WeightsError(broken) from error
    if told is None:
        raise WeightsError(f"'{file}' holds tensors that dofkit did not write: give weights made by `dofkit train`")
    if not isinstance(told, dict) or "version" not in told:
        raise WeightsError(broken)
    if told["version"] != FORMAT:
        raise WeightsError(f"'{file}' is of format {told['version']!r} and this dofkit reads format {FORMAT}: use "
                           "the dofkit that wrote it, or train it again")
    network, arguments, sha256 = (told.get(name) for name in ("network", "arguments", "sha256"))
    if not (isinstance(network, str) and isinstance(arguments, dict) and isinstance(sha256, str)
            and sha256.isascii()):
        raise WeightsError(broken)
    return Metadata(network, arguments, sha256, numbers)


def unpack(file: Path) -> dict[str, Tensor]:
    """All tensors, once the whole file has been found to be as it was written.

    Raises
    ------
    WeightsError
        As `inspect`; cut short or changed anywhere.
    """
    import safetensors.torch

    sha256 = inspect(file).sha256
    data = file.read_bytes()
    # Once, and in what the header says of itself: it comes before all tensors
    at = data.find(sha256.encode())
    found = hashlib.sha256(data[:at] + _BLANK.encode())
    found.update(memoryview(data)[at + len(sha256) :])
    if found.hexdigest() != sha256:
        raise WeightsError(f"'{file}' is cut short or was changed since it was written (its sha256 is not the one in "
                           f"its header): {_REMEDY}")
    try:
        return safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, LookupError) as error:
        raise WeightsError(f"'{file}' cannot be read ({reason(error)}): train it again") from error


def reason(error: Exception) -> str:
    """First line of what the system or a library says."""
    return str(getattr(error, "strerror", None) or error).partition("\n")[0]


def _shape(told: object) -> list[int]:
    """A tensor's shape; the product of texts or lists in its place would fill the memory."""
    if not (isinstance(told, list) and all(type(side) is int and side >= 0 for side in told)):
        raise ValueError("no shape of a tensor")
    return told


def _header(file: Path) -> bytes:
    try:
        if not file.exists():
            raise WeightsError(f"there are no weights '{file}': check the name and the folder")
        if not file.is_file():
            raise WeightsError(f"'{file}' is no file: name a {SUFFIX} file")
        size = file.stat().st_size
        with file.open("rb") as handle:
            head, brace = handle.read(8), handle.read(1)
            length = int.from_bytes(head, "little")
            if head.startswith(_PICKLES) and brace != b"{":  # a header's length may begin like a pickle
                raise WeightsError(f"'{file}' is a pickle of torch.save, which is never loaded because it can run "
                                   "code: give weights made by `dofkit train`")
            if size > MAX_BYTES:
                raise WeightsError(f"'{file}' has {size / 1e6:.1f} MB, more than any weights of dofkit "
                                   f"({MAX_BYTES / 1e6:,.0f} MB): give weights made by `dofkit train`")
            if len(head) < 8 or not 2 <= length <= min(size - 8, _MAX_HEADER):
                raise WeightsError(f"'{file}' ({size:,} bytes) is empty, cut short or no {SUFFIX} file: {_REMEDY}")
            return brace + handle.read(length - 1)
    except OSError as error:
        raise WeightsError(f"cannot open weights '{file}' ({reason(error)}): check name and permissions") from error
