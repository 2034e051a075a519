# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a photograph as a portrait with shallow depth of field.

Nothing is computed before all options and files have been checked, and nothing is written before everything
has been computed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from dofkit.lens_look import LensLook
    from dofkit.photo import Photo
    from dofkit.pipeline import Portrait
    from dofkit.thin_lens import ThinLens

HELP = "render a photograph as a portrait"
MAPS = ("mask", "alpha", "depth", "labels")
"""What can be saved beside the picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `dofkit render`."""
    add = parser.add_argument
    add("photo", metavar="PHOTO", type=Path, help="JPEG, PNG, WebP or TIFF, 8 or 16 bit")
    add("-o", "--output", metavar="OUT", type=Path, required=True, help="the picture to write")
    add(
        "--mode",
        choices=("auto", "selfie", "whole-body"),
        default="auto",
        help="selfie: one blur for all of the background; whole-body: blur by depth (default: %(default)s)",
    )
    add(
        "--method",
        choices=("crf", "rnn"),
        default="crf",
        help="crf: matting, layers and guided blur; rnn: the filter that learned the same (default: %(default)s)",
    )
    add(
        "--coarse",
        metavar="GUESS",
        default="network",
        help="where the person comes from without --mask: network, the kit's own and its SPN; graphcut; or "
        "transformers:MODEL, a folder or name, and the SPN (default: %(default)s)",
    )
    add(
        "--coarse-depth",
        metavar="GUESS",
        default="network",
        help="where depth comes from without --depth: network, the kit's own and its SPN; prior, lower is nearer; or "
        "transformers:MODEL, a folder or name, and the SPN (default: %(default)s)",
    )
    add("--mask", metavar="FILE", type=Path, help="the person, white on black, instead of an estimate")
    add("--depth", metavar="FILE", type=Path, help="depth, also float TIFF or .npy, instead of an estimate")
    add(
        "--depth-larger-is",
        choices=("nearer", "farther"),
        default="farther",
        help="what a larger number in --depth means (default: %(default)s)",
    )
    add("--layers", metavar="K", type=int, default=6, help="layers of a whole body (default: %(default)s)")
    add("--max-radius", metavar="R", type=float, help="largest blur radius in pixels (default: by size)")
    add(
        "--space",
        choices=("srgb", "linear"),
        default="srgb",
        help="blur sRGB values, as the authors did, or linear light, as a lens does (default: %(default)s)",
    )
    add(
        "--look",
        choices=("paper", "lens"),
        default="paper",
        help="paper: Eq. 4 and 10; lens: layers of light over each other, as through a lens (default: %(default)s)",
    )
    add("--focus", metavar="X,Y", type=point, help="what look lens keeps sharp: a pixel (default: the person)")
    add("--f-number", metavar="N", type=float,
        help="aperture of look lens: the lens equation then gives the radii, in the place of --max-radius")
    add("--focal-length", metavar="MM", type=float, help="of that lens, on film of 36 mm (default: 50)")
    add("--distance", metavar="M", type=float,
        help="metres to the person (default: what --depth says in metres, or 2.5 where depth has no unit)")
    add("--blades", metavar="N", type=int, help="sides of the aperture of look lens (default: a disc)")
    add("--foreground", action="store_true", help="estimate the colours of soft hair (not in the paper; slower)")
    for name in MAPS:
        add(f"--save-{name}", metavar="FILE", type=Path, help=f"also write the {name}")
    add("--json", action="store_true", help="print times, sizes and notes as JSON")
    add("--force", action="store_true", help="overwrite existing files")


def point(text: str) -> tuple[float, float]:
    """A pixel on the command line.

    >>> point("120,80")
    (120.0, 80.0)
    """
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no pixel: give X,Y, such as 320,200") from None
    return x, y


def run(args: argparse.Namespace) -> int:
    """Read, render, write; returns the exit code."""
    from dofkit.maps import read_map
    from dofkit.photo import read_photo
    from dofkit.pipeline import PortraitMode

    check_outputs(args)
    _check_look(args)
    renderer = PortraitMode(
        mode=args.mode,
        method=args.method,
        coarse=args.coarse,
        coarse_depth=args.coarse_depth,
        K=args.layers,
        max_radius=args.max_radius,
        space=args.space,
        look=args.look,
        focus=args.focus,
        lens=_lens_look(args),
        thin_lens=_thin_lens(args),
        foreground=args.foreground,
    )
    started = time.perf_counter()
    photo = read_photo(args.photo)
    mask = read_map(args.mask) if args.mask else None
    depth = read_map(args.depth) if args.depth else None
    if depth is not None and args.depth_larger_is == "nearer":
        depth = -depth
    reading = time.perf_counter() - started
    with stage_bar(shown=sys.stderr.isatty()) as progress:
        portrait = renderer(photo.image, mask, depth, progress=progress)
    started = time.perf_counter()
    written = write_outputs(args, photo, portrait)
    writing = time.perf_counter() - started
    tell(args, photo, portrait, written, {"read": reading, **portrait.times, "write": writing})
    return 0


def check_outputs(args: argparse.Namespace) -> None:
    """Refuse outputs that cannot be written, that exist, or that are also another output or an input.

    Raises
    ------
    PhotoError
        Naming the file and what to do.
    """
    from dofkit.files import PhotoError, check_input, check_output
    from dofkit.maps import MAP_SUFFIXES

    inputs = {path.resolve(): path for path in (args.photo, args.mask, args.depth) if path}
    for path in inputs.values():
        check_input(path)
    check_output(args.output, force=args.force)
    taken = {args.output.resolve()}
    for path in _maps(args).values():
        check_output(path, force=args.force, suffixes=MAP_SUFFIXES)
        if path.resolve() in taken:
            raise PhotoError(f"{path} is named for two outputs: give each its own file")
        taken.add(path.resolve())
    for path in taken & set(inputs):
        raise PhotoError(f"{inputs[path]} is both input and output: name another output")


def write_outputs(args: argparse.Namespace, photo: Photo, portrait: Portrait) -> list[str]:
    """Write the picture and what else was asked for; returns the names of the files.

    Raises
    ------
    PhotoError
        If there is nothing to put into a file that was asked for; then none is written.
    """
    from dofkit.files import PhotoError, write_together
    from dofkit.maps import encode_map
    from dofkit.photo import encode_photo

    maps = {name: (path, getattr(portrait, name)) for name, path in _maps(args).items()}
    for name, (_, values) in maps.items():
        if values is None:
            if args.method == "rnn" and name != "depth":
                raise PhotoError(f"the RNN filter makes no {name} to save: use --method crf")
            raise PhotoError(f"a {portrait.mode} has no {name} to save: use --mode whole-body")
    contents = {args.output: encode_photo(args.output, portrait.result, bits=photo.bits, opacity=photo.opacity)}
    for name, (path, values) in maps.items():
        kept = _unit_range(values) if name == "depth" and path.suffix.lower() == ".png" else values
        contents[path] = encode_map(path, kept, bits=8 if name in ("mask", "labels") else 16)
    check_outputs(args)  # somebody may have written there in the meantime
    write_together(contents)
    return [str(args.output), *(str(path) for path, _ in maps.values())]


def tell(
    args: argparse.Namespace, photo: Photo, portrait: Portrait, written: list[str], times: dict[str, float]
) -> None:
    """Print what was done: as JSON on standard output, or the notes alone on standard error."""
    notes = [*photo.notes, *portrait.messages]
    if not args.json:
        for note in notes:
            print(f"dofkit: note: {note}", file=sys.stderr)
        return
    height, width = portrait.result.shape[:2]
    report: dict[str, Any] = {
        "photo": str(args.photo),
        "width": width,
        "height": height,
        "mode": portrait.mode,
        "method": args.method,
        "look": args.look,
        "layers": 1 if portrait.labels is None else len(portrait.radii),
        "radii": [round(float(radius), 3) for radius in portrait.radii],
        "seconds": {stage: round(seconds, 4) for stage, seconds in times.items()},
        "written": written,
        "notes": notes,
    }
    print(json.dumps(report, indent=1, ensure_ascii=False))


@contextmanager
def stage_bar(*, shown: bool) -> Iterator[Callable[[str], None] | None]:
    """A progress bar over the stages, which the pipeline calls with the name of each; None if not shown."""
    if not shown:
        yield None
        return
    from tqdm import tqdm

    from dofkit.pipeline import STAGES

    layout = "{desc:<8}|{bar:24}| {elapsed}"
    width = shutil.get_terminal_size().columns  # 80 where the terminal does not say
    with tqdm(total=len(STAGES), bar_format=layout, ncols=width, leave=False) as bar:

        def progress(stage: str) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.n = STAGES.index(stage) if stage in STAGES else bar.n
            bar.refresh()

        yield progress


def _check_look(args: argparse.Namespace) -> None:
    """Refuse the lens's options without the lens, by the names that they have on the command line."""
    from dofkit.files import PhotoError

    for name in ("focus", "f_number", "focal_length", "distance", "blades"):
        if args.look != "lens" and getattr(args, name) is not None:
            raise PhotoError(f"--{name.replace('_', '-')} belongs to a lens: add --look lens, or leave it out (the "
                             "paper keeps the person in focus)")


def _lens_look(args: argparse.Namespace) -> LensLook | None:
    from dofkit.lens_look import suited

    given = {"mask_given": args.mask is not None, "depth_given": args.depth is not None}
    return None if args.blades is None else suited(**given, blades=args.blades)


def _thin_lens(args: argparse.Namespace) -> ThinLens | None:
    from dofkit.files import PhotoError
    from dofkit.thin_lens import ThinLens

    given = {"focal_length": args.focal_length, "distance": args.distance}
    given = {name: value for name, value in given.items() if value is not None}
    if args.f_number is not None:
        return ThinLens(args.f_number, **given)
    if given:
        raise PhotoError("focal length and distance belong to a lens: give its --f-number as well")
    return None


def _maps(args: argparse.Namespace) -> dict[str, Path]:
    named = {name: getattr(args, f"save_{name}") for name in MAPS}
    return {name: path for name, path in named.items() if path is not None}


def _unit_range(values: np.ndarray) -> np.ndarray:
    """Depth has no unit and any range; a PNG holds [0, 1]. Larger stays farther."""
    low, high = float(values.min()), float(values.max())
    scaled: np.ndarray = (values - low) / (high - low) if high > low else values * 0
    return scaled
