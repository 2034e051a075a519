# SPDX-License-Identifier: GPL-3.0-or-later
"""A photograph and every setting of the pipeline, live: choose or upload it, look at each stage, save the result.

Where the extra `click` is installed, a click on the picture (or the arrow keys on it) chooses the focus; the two focus
sliders do the same everywhere.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from dofkit.cache import cache_dir
from dofkit.exploring import VIEWS, Exploration, Settings, view, wiped
from dofkit.files import check_output
from dofkit.parts import remove_abandoned, unfinished_folder
from dofkit.photo import Photo, PhotoError, read_photo, write_photo
from dofkit.widgets.live import Live
from dofkit.widgets.pictures import clickable_picture, encode, plain_picture
from dofkit.widgets.sliders import Slider, control

Source = Callable[[], Exploration]

PERSON, POINT = "the person", "a point"
OF_LAYERS = ("K", "lambda_", "feather")


def explore_photo(
    photo: np.ndarray | Photo | None = None, mask: np.ndarray | None = None, depth: np.ndarray | None = None, *,
    folder: Path | None = None,
) -> PhotoExplorer:
    """Explore a photograph; the last line of a notebook's cell.

    Parameters
    ----------
    photo
        (H, W, 3) float32 sRGB in [0, 1], or what `read_photo` returned; None begins with a portrait that comes with the
        kit's dependencies. Others can be chosen in the page.
    mask, depth
        Of this photograph, as `PortraitMode` takes them.
    folder
        Where results are saved; default the current one.

    Returns
    -------
    PhotoExplorer
        The widget, with its first picture.

    Raises
    ------
    PhotoError
        If the photograph cannot be used.
    """
    own: dict[str, Source] = {} if photo is None else {"your photograph": partial(Exploration, photo, mask, depth)}
    return PhotoExplorer({**own, **SAMPLES}, Path.cwd() if folder is None else folder)


class PhotoExplorer(ipywidgets.VBox):
    """The widget that `explore_photo` makes.

    Attributes
    ----------
    controls : of the settings and the view, by name.
    source : of the photograph: "photograph", "path" and "upload".
    save : "name" and "button".
    picture, status : what is shown, and the line below it.
    exploration : the photograph in the page.
    """

    def __init__(self, photographs: Mapping[str, Source], folder: Path) -> None:
        self.photographs, self.folder = dict(photographs), folder
        self.live = Live(self._draw)
        self.status = self.live.status
        self.controls, self.source, self.save = _controls(), _sources(self.photographs), _saving()
        self.picture = clickable_picture() or plain_picture()
        self._open(next(iter(self.photographs.values())))
        self.source["photograph"].observe(self._chosen, "value")
        self.source["path"].observe(self._named, "value")
        self.source["upload"].observe(self._uploaded, "value")
        self.save["button"].on_click(self._save)
        for name in ("focus", "focus_x", "focus_y", "look"):
            self.controls[name].observe(partial(self._refocused, name), "value")
        self.live.watch(self.controls.values())
        if self.picture.has_trait("point"):
            self.picture.observe(self._clicked, "point")
        left = [*self.source.values(), *self.controls.values(), *self.save.values()]
        beside = ipywidgets.Layout(flex="1 1 20em", margin="0 0 0 1em")
        right = ipywidgets.VBox([self.picture, self.status], layout=beside)
        columns = ipywidgets.Layout(display="flex", flex_flow="row wrap", width="100%")
        super().__init__([ipywidgets.Box([ipywidgets.VBox(left), right], layout=columns)])

    def settings(self) -> Settings:
        """What the controls say."""
        at = {name: widget.value for name, widget in self.controls.items()}
        focus = (at["focus_x"] / 100, at["focus_y"] / 100) if at["focus"] == POINT else None
        return Settings(at["look"], at["mode"], at["aperture"], at["K"], at["lambda_"], at["feather"], focus)

    def _draw(self) -> str:
        portrait = self.exploration.portrait(self.settings())
        computed = self.exploration.memo.news()
        notes = list(portrait.messages) if "mask" in computed else []
        name = self.controls["show"].value
        try:
            shown = view(portrait, name)
        except PhotoError as missing:
            name, shown = "result", portrait.result
            notes.append(str(missing))
        self.picture.value = encode(wiped(portrait.image, shown, self.controls["wipe"].value / 100))
        if self.picture.has_trait("alt"):
            self.picture.alt = f"{name} of the photograph, {portrait.mode}, look {self.controls['look'].value}"
        for slider in OF_LAYERS:
            self.controls[slider].disabled = portrait.labels is None
        if portrait.labels is None:
            notes.append("greyed out: what belongs to the paper's look of a whole body")
        seconds = time.perf_counter() - self.live.started
        told = [f"computed anew: {', '.join(computed) or 'nothing'} ({seconds:.2f} s)", *map(html.escape, notes)]
        return f'<div style="line-height: 1.4">{"<br>".join(told)}</div>'

    def _open(self, source: Source) -> None:
        """Take another photograph, with the kit's own aperture for it; keep the old one if that fails."""
        found = source()
        portrait = found.portrait(Settings(mode=self.controls["mode"].value))
        with self.live.held():
            self.controls["aperture"].value = round(100 * float(portrait.radii.max()) / max(found.preview.shape), 1)
            self.controls["focus"].value = PERSON
        self.exploration = found
        self.live.now()

    def _chosen(self, change: Any) -> None:
        self.live.attempt(partial(self._open, self.photographs[change["new"]]))

    def _named(self, change: Any) -> None:
        if change["new"].strip():
            path = Path(change["new"].strip()).expanduser()
            self._take(path.name, lambda: read_photo(path))

    def _uploaded(self, change: Any) -> None:
        for file in change["new"]:
            self._take(file["name"], partial(read_upload, file["name"], bytes(file["content"])))

    def _take(self, name: str, read: Callable[[], Photo]) -> None:
        """Read a photograph, show it, and only then put it among those to choose from."""

        def work() -> None:
            photo = read()
            source = partial(Exploration, photo)
            self._open(source)
            self.photographs[name] = source
            choice = self.source["photograph"]
            choice.unobserve(self._chosen, "value")
            choice.options = list(self.photographs)
            choice.value = name
            choice.observe(self._chosen, "value")

        self.live.attempt(work)

    def _refocused(self, name: str, change: Any) -> None:
        """A focus elsewhere needs the lens look; the paper's look has the person in focus."""
        with self.live.held():
            if name in ("focus_x", "focus_y"):
                self.controls["focus"].value = POINT
            if name != "look" and self.controls["focus"].value == POINT:
                self.controls["look"].value = "lens"
            if name == "look" and change["new"] == "paper":
                self.controls["focus"].value = PERSON

    def _clicked(self, change: Any) -> None:
        with self.live.held():
            for name, share in zip(("focus_x", "focus_y"), change["new"], strict=True):
                self.controls[name].value = int(200 * share) / 2  # in the slider's steps
            self.controls["focus"].value = POINT
        self.live.attempt(self.live.now)

    def _save(self, _button: Any) -> None:
        def work() -> None:
            path = check_output(free_name(self.folder / self.save["name"].value))
            self.saved = write_photo(path, self.exploration.full(self.settings()).result)

        if self.live.attempt(work):
            self.status.value = f"saved: {html.escape(str(self.saved))}"


def read_upload(name: str, content: bytes) -> Photo:
    """A photograph from the bytes that a browser sent.

    Raises
    ------
    PhotoError
        As `read_photo`; the message names the file as the user does.
    """
    place = cache_dir() / "upload"
    remove_abandoned(place.parent, place.name)  # of a kernel that was killed while it read one
    with unfinished_folder(place) as folder:
        path = folder / (Path(name).name or "upload")
        path.write_bytes(content)
        try:
            return read_photo(path)
        except ValueError as error:
            raise type(error)(str(error).replace(str(path), path.name)) from None


def free_name(path: Path) -> Path:
    """The path itself, or with a number that no file has yet: portrait.jpg, portrait-2.jpg, ..."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def _controls() -> dict[str, ipywidgets.DOMWidget]:
    """All settings and the view, in the order of the page."""
    return {
        "show": control("show", VIEWS),
        "wipe": control("before/after wipe", Slider(0, 100, 0, label="before/after, %")),
        "mode": control("mode", ("auto", "selfie", "whole-body")),
        "look": control("look", ("paper", "lens")),
        "aperture": control("aperture", Slider(0.0, 4.0, 1.0, step=0.1, label="aperture: blur, %")),
        "focus": control("focus on", (PERSON, POINT)),
        "focus_x": control("focus", Slider(0.0, 99.5, 50.0, step=0.5, label="focus, from left, %")),
        "focus_y": control("focus", Slider(0.0, 99.5, 50.0, step=0.5, label="focus, from top, %")),
        "K": control("K", Slider(1, 10, 6, label="layers K")),
        "lambda_": control("lambda", Slider(0.0, 30.0, 10.0, step=1.0, label="lambda")),
        "feather": control("feather", Slider(0.0, 4.0, 0.8, step=0.1, label="feather, %")),
    }


def _sources(photographs: Mapping[str, Source]) -> dict[str, ipywidgets.DOMWidget]:
    style, layout = {"description_width": "11em"}, ipywidgets.Layout(width="32em")
    return {
        "photograph": control("photograph", list(photographs)),
        "upload": ipywidgets.FileUpload(accept="image/*", description="or upload one", layout=layout),
        "path": ipywidgets.Text(description="or its path", placeholder="me.jpg", continuous_update=False, style=style,
                                layout=layout),
    }


def _saving() -> dict[str, ipywidgets.DOMWidget]:
    style, layout = {"description_width": "11em"}, ipywidgets.Layout(width="32em")
    return {
        "name": ipywidgets.Text("portrait.jpg", description="save as", style=style, layout=layout),
        "button": ipywidgets.Button(description="save at full size", layout=layout),
    }


def _astronaut() -> Exploration:
    from skimage.data import astronaut

    return Exploration(astronaut().astype(np.float32) / 255)


def _hopper() -> Exploration:
    import matplotlib.cbook

    return Exploration(read_photo(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))


def _scene(index: int) -> Exploration:
    from dofkit.scenes import portrait_scene

    return Exploration(portrait_scene(index, (500, 333), "whole-body", "validation").image)


SAMPLES: dict[str, Source] = {
    "a street by day (scene)": partial(_scene, 9),
    "a street at night (scene)": partial(_scene, 0),
    "Eileen Collins (NASA)": _astronaut,
    "Grace Hopper (U.S. Navy)": _hopper,
}
"""Photographs that are there without a download: procedural scenes, and portraits in the public domain."""
