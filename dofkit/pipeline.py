# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole order (Fig. 2 of the paper): photograph -> mask, depth -> matte -> layers -> guided blur -> picture.

Or, by ``method="rnn"``: photograph -> mask, depth -> RNN filter -> picture.

    >>> from dofkit import PortraitMode
    >>> from skimage.data import astronaut
    >>> portrait = PortraitMode()(astronaut().astype("float32") / 255)
    >>> portrait.mode, portrait.result.shape
    ('selfie', (512, 512, 3))

Every stage is a plain function of its own module; this is the only place that knows their order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import cv2
import numpy as np

from dofkit import filtering, layers, lens_look, matting, render, thin_lens
from dofkit.coarse import Mode
from dofkit.colour import linear_to_srgb, srgb_to_linear
from dofkit.depth import Depth, check_depth_guess, estimator
from dofkit.faces import find_face
from dofkit.lens_look import LensLook
from dofkit.maps import check_depth, check_mask
from dofkit.memory import check_memory
from dofkit.photo import Photo, PhotoError
from dofkit.segmentation import Segmentation, check_guess, segmenter
from dofkit.stages import Memo, Stages
from dofkit.thin_lens import Focus, ThinLens

Space = Literal["srgb", "linear"]
Method = Literal["crf", "rnn"]
Look = Literal["paper", "lens"]

STAGES = ("mask", "depth", "matte", "layers", "blur")


@dataclass(frozen=True)
class Portrait:
    """One photograph on its way through the paper, all arrays of the photograph's size.

    Attributes
    ----------
    image : (H, W, 3) float32 sRGB in [0, 1], the photograph I.
    coarse : (H, W) float32 in [0, 1], the person before the SPN; the mask itself where one was given.
    mask : (H, W) float32 in [0, 1], the person m before matting.
    coarse_depth : (H, W) float32, depth before the SPN; None where there is none.
    depth : (H, W) float32, z, larger = farther, no unit; None for a selfie without depth.
    alpha : (H, W) float32 in [0, 1], the matte; None by the RNN filter, which needs none.
    labels : (H, W) uint8 layers from near to far; None for a selfie, and by the RNN filter.
    radii : (K,) radius of each layer in pixels; one radius, the largest, where there are no layers.
    result : (H, W, 3) float32 sRGB in [0, 1], the portrait B.
    mode : "selfie" or "whole-body".
    times : seconds of each stage.
    messages : what the reader should know about this picture.
    """

    image: np.ndarray
    coarse: np.ndarray
    mask: np.ndarray
    coarse_depth: np.ndarray | None
    depth: np.ndarray | None
    alpha: np.ndarray | None
    labels: np.ndarray | None
    radii: np.ndarray
    result: np.ndarray
    mode: str
    times: dict[str, float] = field(default_factory=dict)
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class PortraitMode:
    """Portrait mode: call it with a photograph.

    Parameters
    ----------
    mode : "selfie" blurs the whole background once (Eq. 4); "whole-body" by depth (Eq. 10); "auto" decides by the mask,
        and takes the depth into account where one is given.
    method : "crf" renders by matting, layers and guided blur (section 3.3), "rnn" by the filter that has learned to do
        the same (section 3.4), in sRGB, with all parts of the renderer.
    coarse : where the person comes from: "network", "graphcut" or "transformers:MODEL", as `segmenter` takes it.
    coarse_depth : where depth comes from: "network", "prior" or "transformers:MODEL", as `estimator` takes it.
    K, lambda_ : layers and smoothness of Eq. 7.
    layer_side : long side, in pixels, at which layers are split at the most: depth from one picture is never finer.
    feather : standard deviation of Eq. 10's Gaussian g in pixels; default 0.8 % of the long side.
    max_radius : radius of the farthest blur in pixels; default 1.0 % (whole body) or 1.6 % (selfie) of the long side.
    space : "srgb" blurs the encoded values, as in the one picture that the authors published before and after; "linear"
        blurs light, as a lens does.
    look : "paper" is Eq. 4 and 10; "lens" lays light in layers over each other (`dofkit.lens_look`), in selfies too.
    focus : what is sharp by "lens": a depth, or the depth at a point (x, y) in pixels; None is the person.
    lens : the options of "lens"; by default those of `lens_look.suited`, careful with what is estimated.
    thin_lens : f-number, focal length and distance, from which "lens" takes the radii in the place of `max_radius`.
    depth, crf, guided : False leaves out one part, as Fig. 11(b), (d) and (e) do.
    foreground : True paints soft hair in its own estimated colour; Eq. 4 and 10 keep the photograph's, which has the
        background in it.
    """

    mode: Mode = "auto"
    method: Method = "crf"
    coarse: str = "network"
    coarse_depth: str = "network"
    K: int = 6
    lambda_: float = 10.0
    layer_side: int = 640
    feather: float | None = None
    max_radius: float | None = None
    space: Space = "srgb"
    look: Look = "paper"
    focus: Focus = None
    lens: LensLook | None = None
    thin_lens: ThinLens | None = None
    depth: bool = True
    crf: bool = True
    guided: bool = True
    foreground: bool = False

    def __post_init__(self) -> None:
        for name, kind in (("mode", Mode), ("method", Method), ("space", Space), ("look", Look)):
            if getattr(self, name) not in get_args(kind):
                raise PhotoError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(get_args(kind))}")
        check_guess(self.coarse)
        check_depth_guess(self.coarse_depth)
        if self.method == "rnn" and (self.space != "srgb" or self.foreground or not (self.crf and self.guided)):
            raise PhotoError("the RNN filter learned the whole renderer in sRGB: leave out space, foreground, crf and "
                             "guided, or use method crf")
        if self.look == "lens" and not (self.method == "crf" and self.space == "srgb" and self.crf and self.guided
                                        and self.depth):
            raise PhotoError("look lens has its own layers, in light: leave out space, method, depth, crf and guided")
        if self.look == "paper" and (self.focus, self.lens, self.thin_lens) != (None, None, None):
            raise PhotoError("the paper keeps the person in focus: choose look lens for another focus or lens")
        if self.thin_lens is not None and self.max_radius is not None:
            raise PhotoError("the f-number decides how wide the blur is: leave out the f-number or the largest radius")
        if self.K not in range(1, 33):
            raise PhotoError(f"the number of layers is {self.K}: choose a whole number from 1 to 32")
        if not (np.isfinite(self.lambda_) and self.lambda_ >= 0):
            raise PhotoError(f"lambda is {self.lambda_}: choose 0 or more")
        if self.layer_side < 1:
            raise PhotoError(f"layers are split at a long side of {self.layer_side}: choose 1 pixel or more")
        for what, pixels in (("largest blur radius", self.max_radius), ("feather", self.feather)):
            if pixels is not None and not (np.isfinite(pixels) and pixels >= 0):
                raise PhotoError(f"the {what} is {pixels}: choose 0 or more pixels")

    def __call__(
        self,
        photo: np.ndarray | Photo,
        mask: np.ndarray | None = None,
        depth: np.ndarray | None = None,
        *,
        progress: Callable[[str], None] | None = None,
        memo: Memo | None = None,
    ) -> Portrait:
        """Render a photograph.

        Parameters
        ----------
        photo : (H, W, 3) float32 sRGB in [0, 1], or what ``read_photo`` returned.
        mask : (h, w) in [0, 1], the person; default what `coarse` finds.
        depth : (h, w) larger = farther, any unit; default what `coarse_depth` finds.
        progress : called with the name of each stage as it starts.
        memo : of earlier calls, perhaps with other options: what has not changed since is not computed again.

        Raises
        ------
        PhotoError
            If the picture, mask or depth cannot be used, or memory is short; the message says why and what to do.
        """
        run = Stages(progress, memo)
        image = check_image(photo.image if isinstance(photo, Photo) else photo)
        check_memory(image[..., 0].size, self.look, foreground=self.foreground)
        largest = self.max_radius
        side = max(image.shape[:2])
        if largest is not None and largest > side:
            raise PhotoError(f"the largest blur radius, {largest} px, is wider than the picture, {side} px")
        found = self._found(run, image, mask)
        m = found.mask
        mode = self._mode(m, depth)
        layered = (mode == "whole-body" and self.depth) or self.look == "lens"
        estimate = run("depth", _order, image, m, depth, self.coarse_depth) if layered or depth is not None else None
        z = None if estimate is None else estimate.z
        alpha = labels = None
        if self.method == "rnn":
            radii, result = run("blur", PortraitMode._filter, self, image, m, z if layered else None, mode)
        else:
            alpha = run("matte", matting.matte, image, m)
            if self.look == "lens" and z is not None:
                options = self.lens or lens_look.suited(mask_given=mask is not None, depth_given=depth is not None)
                radii, result = run("blur", PortraitMode._through_lens, self, image, m, alpha, z, mode, options)
            else:
                split = run("layers", _split, z, self.K, self.lambda_, self.crf, self.layer_side) if layered else None
                radii, result = run("blur", PortraitMode._blur, self, image, m, alpha, split, mode)
                labels = None if split is None else cv2.resize(split.labels, m.shape[::-1],
                                                               interpolation=cv2.INTER_NEAREST)
        messages = tuple(stage.message for stage in (found, estimate) if stage is not None and stage.message)
        first = None if estimate is None else estimate.coarse
        return Portrait(image, found.coarse, m, first, z, alpha, labels, radii, result, mode, run.times, messages)

    def _found(self, run: Stages, image: np.ndarray, mask: np.ndarray | None) -> Segmentation:
        """The person, as given or found; where the networks see nobody and there is a face, by graph cut."""
        if mask is not None:
            return run("mask", _given, mask, image.shape[:2])
        if self.coarse == "graphcut":
            found = run("mask", _find, image, self.coarse, self.mode)
        else:
            found = run("mask", _find, image, self.coarse, "auto")  # the networks find either, whatever the mode
            if not found.mask.any() and find_face(image) is not None:
                found = run("mask by graph cut", _find, image, "graphcut", self.mode)
        if not 0.001 < (found.mask > 0.5).mean() < 0.999:
            raise PhotoError("no person was found in this photograph: give a mask of your own")
        return found

    def _mode(self, m: np.ndarray, depth: np.ndarray | None) -> str:
        if self.mode != "auto":
            return self.mode
        return "whole-body" if depth is not None else mode_of(m)

    def _blur(
        self, image: np.ndarray, m: np.ndarray, alpha: np.ndarray, split: layers.Layers | None, mode: str
    ) -> tuple[np.ndarray, np.ndarray]:
        largest = self._largest(m, mode)
        encode, decode = (linear_to_srgb, srgb_to_linear) if self.space == "linear" else (np.copy, np.copy)
        light = decode(image)
        person = decode(matting.foreground(image, alpha)) if self.foreground else None
        if split is None:
            radii = np.array([largest])
            result = render.render_selfie(light, alpha, largest, guided=self.guided, foreground=person)
        else:
            small = cv2.resize(m, split.labels.shape[::-1], interpolation=cv2.INTER_AREA)
            radii = render.layer_radii(split.labels, small, split.count, largest)
            result = render.render_layers(light, alpha, split.labels, radii, feather=self.feather, guided=self.guided,
                                          foreground=person)
        return radii, encode(result).clip(0, 1)  # the blur rounds by 1e-7 and may leave the range

    def _through_lens(
        self, image: np.ndarray, m: np.ndarray, alpha: np.ndarray, z: np.ndarray, mode: str, options: LensLook
    ) -> tuple[np.ndarray, np.ndarray]:
        q = thin_lens.inverse_distance(z)
        focus = thin_lens.focus_at(q, self.focus, m)
        if self.thin_lens is None:
            s = thin_lens.signed_radius(q, focus, self._largest(m, mode))
        else:
            unit = self.thin_lens.per_metre(z, m)
            s = self.thin_lens.radii(unit * q, unit * focus, max(m.shape))
        person = float(np.median(s[m > 0.5])) if self.focus is not None else 0.0
        own = matting.foreground(image, alpha) if self.foreground else None
        result = lens_look.render_lens(image, alpha, s, person=person, foreground=own, look=options)
        return np.array([np.abs(s if options.near else np.maximum(s, 0)).max()]), result

    def _filter(
        self, image: np.ndarray, m: np.ndarray, z: np.ndarray | None, mode: str
    ) -> tuple[np.ndarray, np.ndarray]:
        largest = self._largest(m, mode)
        radius = filtering.blur_radius(z, m, self.K, largest)
        result = filtering.filter_photo(filtering.shipped_filter(), image, m, radius)
        return np.array([largest]), filtering.keep_person(image, m, result)

    def _largest(self, m: np.ndarray, mode: str) -> float:
        share = render.SELFIE_RADIUS if mode == "selfie" else render.WHOLE_BODY_RADIUS
        return share * max(m.shape) if self.max_radius is None else self.max_radius


def _given(mask: np.ndarray, shape: tuple[int, int]) -> Segmentation:
    given = check_mask(mask, shape)
    return Segmentation(given, given, "")


def _find(image: np.ndarray, coarse: str, mode: Mode) -> Segmentation:
    return segmenter(coarse, mode)(image)


def _order(image: np.ndarray, m: np.ndarray, depth: np.ndarray | None, coarse: str) -> Depth:
    """The depth: as given, or as estimated."""
    if depth is None:
        return estimator(coarse)(image, m)
    given = check_depth(depth, m.shape)
    return Depth(given, given, "")


def _split(z: np.ndarray, K: int, lambda_: float, crf: bool, side: int) -> layers.Layers:
    """Layers of the depth, at a long side of so many pixels."""
    reduction = min(1.0, side / max(z.shape))
    size = tuple(max(1, round(length * reduction)) for length in z.shape[::-1])
    small = cv2.resize(z, size, interpolation=cv2.INTER_AREA)
    return layers.split_layers(small, K, lambda_=lambda_, solver="expansion" if crf else "threshold")


def mode_of(m: np.ndarray) -> str:
    """Selfie or whole body, from the mask alone: a whole body is tall and does not fill the lower edge of the picture.

    The two limits separate 250 masks of the selfie set from 250 of Clothing Co-Parsing without an error.

    >>> standing = np.zeros((10, 10)); standing[1:9, 4:7] = 1
    >>> mode_of(standing)
    'whole-body'
    """
    inside = m > 0.5
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    aspect = (np.ptp(rows) + 1) / (np.ptp(columns) + 1)
    base = inside[-max(1, len(inside) // 100) :].any(0).mean()
    return "whole-body" if aspect >= 1.7 and base <= 0.4 else "selfie"


def check_image(photo: np.ndarray) -> np.ndarray:
    """A photograph as (H, W, 3) float32, or a PhotoError that says what it is instead."""
    image = np.asarray(photo)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise PhotoError(f"a photograph is an array (height, width, 3), this one is {image.shape}")
    if image.dtype == np.uint8:
        raise PhotoError("the photograph holds whole numbers: divide by 255 to bring it to 0..1")
    image = np.ascontiguousarray(image, np.float32)
    if not np.isfinite(image).all() or image.min() < 0 or image.max() > 1:
        raise PhotoError("the photograph holds values outside 0..1 or none at all (NaN)")
    return image

