# SPDX-License-Identifier: GPL-3.0-or-later
"""What lives in a page: pictures that follow their controls.

    sliders.explore         one function, a slider for each of its arguments
    photo.explore_photo     a photograph and every setting of the pipeline
    study.take_study        the user study, to be taken

Built on `ipywidgets.Image` and `observe`, which is several times faster from key to picture than a re-drawn plot,
works in Voila, and does nothing at all where no browser is looking. Every control has a label, can be reached with Tab
and worked with the keyboard. Put a static figure of the same function beside it: paper shows no widgets.
"""

from dofkit.widgets.pictures import encode
from dofkit.widgets.sliders import Explorer, Slider, explore

__all__ = ["Explorer", "Slider", "encode", "explore"]
