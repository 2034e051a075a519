# SPDX-License-Identifier: GPL-3.0-or-later
"""The lens look: against scattering and the thin lens, light kept, focus where it was asked for."""

import numpy as np
import pytest

from dofkit import PhotoError, PortraitMode, cli, write_photo
from dofkit.ablation import exact, through_lens
from dofkit.blur import aperture
from dofkit.colour import linear_to_srgb, srgb_to_linear
from dofkit.lens_look import LensLook, render_lens, suited
from dofkit.metrics import psnr
from dofkit.scenes import portrait_scene
from dofkit.thin_lens import focus_at, inverse_distance, signed_radius
from tests.scatter import scatter

PLAIN = LensLook(highlights=1)


@pytest.fixture(scope="module")
def scene():
    return portrait_scene(2, (240, 160), "whole-body", "validation")


def noise(*shape):
    return np.random.default_rng(0).uniform(0.2, 0.8, (*shape, 3)).astype(np.float32)


def test_in_focus_it_is_the_photograph():
    image = noise(40, 30)
    alpha = np.zeros((40, 30), np.float32)
    alpha[10:30, 10:20] = 1
    made = render_lens(image, alpha, np.zeros((40, 30), np.float32), look=PLAIN)
    assert np.allclose(made, image, atol=1e-4) and np.array_equal(made[alpha == 1], image[alpha == 1])


def test_a_lamp_in_focus_keeps_its_colour():
    """In focus it is as photographed; out of focus its disc is brighter than the clipped number would make it."""
    image = np.full((61, 61, 3), 0.05, np.float32)
    image[28:33, 28:33] = 1, 0.7, 0.2
    alpha = np.zeros((61, 61), np.float32)
    sharp, soft, clipped = (render_lens(image, alpha, np.full((61, 61), s, np.float32), look=look)
                            for s, look in ((0, LensLook()), (6, LensLook()), (6, PLAIN)))
    assert np.allclose(sharp, image, atol=1e-3)
    assert soft[30, 30].mean() > 1.2 * clipped[30, 30].mean()


@pytest.mark.parametrize("blades", [0, 6])
def test_a_lamp_keeps_its_light(blades):
    light = np.full((61, 61, 3), 0.01, np.float32)
    light[30, 30] = 0.9
    s = np.full((61, 61), 6.0, np.float32)
    look = LensLook(highlights=1, blades=blades)
    made = render_lens(linear_to_srgb(light), np.zeros((61, 61), np.float32), s, look=look)
    assert srgb_to_linear(made).sum() == pytest.approx(light.sum(), rel=0.01)
    assert made[30, 30].max() < 0.5


def test_a_plane_is_the_blur_of_light():
    image = noise(50, 50)
    s = np.full((50, 50), 3.0, np.float32)
    made = render_lens(image, np.zeros((50, 50), np.float32), s, look=PLAIN)
    assert psnr(made[8:-8, 8:-8], scatter(image, s, groups=1)[8:-8, 8:-8]) > 50


def test_two_planes_are_those_that_scatter():
    """A sharp half before a blurred one, and a blurred half before a sharp one.

    Beside the edge of the first the oracle has nothing to show where the hidden half would shine, and shows it sharp.
    """
    image = noise(60, 60)
    image[:, :30] *= 0.3
    for near, far in ((0.0, 4.0), (-4.0, 0.0)):
        s = np.full((60, 60), far, np.float32)
        s[:, :30] = near
        made, oracle = render_lens(image, np.zeros((60, 60), np.float32), s, look=PLAIN), scatter(image, s)
        assert psnr(made[6:-6, 6:-6], oracle[6:-6, 6:-6]) > 26
        assert psnr(made[6:-6, 6:24], oracle[6:-6, 6:24]) > 40 and psnr(made[6:-6, 36:-6], oracle[6:-6, 36:-6]) > 38


def test_what_is_near_lies_over_the_person():
    image, alpha = np.full((60, 60, 3), 0.2, np.float32), np.zeros((60, 60), np.float32)
    alpha[10:50, 20:50] = 1
    image[alpha == 1] = 0.6
    image[40:44], alpha[40:44] = 0.95, 0  # a bar before the legs
    s = np.full((60, 60), 3.0, np.float32)
    s[40:44] = -5
    near, off = (render_lens(image, alpha, s, look=LensLook(highlights=1, near=on)) for on in (True, False))
    assert near[38, 30].mean() > 0.65 and off[38, 30].mean() == pytest.approx(0.6, abs=1e-3)
    assert near[15, 30].mean() == pytest.approx(0.6, abs=1e-3)


def test_nearer_to_the_lens_than_the_paper_by_day():
    gains = []
    for number in (0, 1, 2, 4):
        scene = portrait_scene(number, (240, 160), "whole-body", "validation")
        given, truth = exact(scene), through_lens(scene)
        paper, lens = (PortraitMode(mode="whole-body", look=look)(given.image, given.mask, given.depth).result
                       for look in ("paper", "lens"))
        gains.append(psnr(lens, truth) - psnr(paper, truth))
    assert np.mean(gains) > 1.5, gains


@pytest.mark.parametrize("s", [0, 3])
def test_behind_a_soft_person_the_background_goes_on(s):
    image, alpha = np.full((80, 80, 3), 0.9, np.float32), np.zeros((80, 80), np.float32)
    alpha[20:, 25:55] = 1
    image[alpha == 1] = 0.5
    made = render_lens(image, alpha, np.full((80, 80), s, np.float32), person=-8, look=PLAIN)
    assert made.min() > 0.499 and made.max() < 0.901
    assert made[60, 22].mean() < 0.88 and made[60, 28].mean() > 0.55  # soft on both sides of the edge


def test_a_focus_behind_makes_the_person_soft(scene):
    m = scene.mask.astype(np.float32)
    far = np.unravel_index(np.where(scene.mask, 0, scene.depth).argmax(), m.shape)
    mode = PortraitMode(mode="whole-body", look="lens", max_radius=6, focus=(float(far[1]), float(far[0])))
    made = mode(scene.image, m, -1 / scene.depth).result
    away = scene.depth > np.quantile(scene.depth, 0.9)

    def detail(picture, where):
        return np.abs(np.diff(picture, axis=1)).mean(2)[where[:, 1:]].mean()

    assert detail(made, scene.mask) < 0.6 * detail(scene.image, scene.mask)
    assert detail(made, away) > 0.7 * detail(scene.image, away)


def test_metres_and_inverse_metres_are_the_same_depth(scene):
    m = scene.mask.astype(np.float32)
    mode = PortraitMode(mode="whole-body", look="lens")
    metres, inverse = (mode(scene.image, m, z).result for z in (scene.depth, -1 / scene.depth))
    assert np.allclose(metres, inverse, atol=2e-3)


def test_radii_follow_the_lens_equation():
    z = np.float32([[1, 2, 4, 8]])
    q = inverse_distance(z)
    s = signed_radius(q, focus_at(q, 2.0, z), 3.0)[0]
    assert np.allclose(s, 3.0 * (0.5 - 1 / z[0]) / (0.5 - 1 / 8), atol=1e-5)


@pytest.mark.parametrize("blades", [3, 5, 6, 9])
def test_an_aperture_has_the_area_of_its_disc(blades):
    kernel = aperture(8.0, blades)
    assert kernel.sum() == pytest.approx(1, abs=1e-5) and (kernel >= 0).all()
    assert 1 / (kernel**2).sum() == pytest.approx(np.pi * 64, rel=0.06)  # pixels that share the light


def test_the_person_is_untouched(scene):
    portrait = PortraitMode(mode="whole-body", look="lens")(scene.image, scene.mask.astype(np.float32))
    inside = portrait.alpha == 1
    assert (portrait.result[inside] == scene.image[inside]).all() and portrait.labels is None


@pytest.mark.parametrize(("options", "says"), [
    ({"look": "lens", "method": "rnn"}, "its own layers"),
    ({"look": "lens", "space": "linear"}, "its own layers"),
    ({"focus": (1, 1)}, "choose look lens"),
    ({"look": "glass"}, "choose one of"),
])
def test_options_that_do_not_go_together(options, says):
    with pytest.raises(PhotoError, match=says):
        PortraitMode(**options)


@pytest.mark.parametrize("options", [{"highlights": 0.5}, {"highlights": float("nan")}, {"blades": 2}, {"blades": -1},
                                     {"outline": -0.01}, {"outline": float("nan")}])
def test_lenses_that_do_not_exist(options):
    with pytest.raises(PhotoError):
        LensLook(**options)


def test_the_command_line_has_the_look(scene, tmp_path, capsys):
    write_photo(tmp_path / "in.png", scene.image)
    command = ["render", str(tmp_path / "in.png"), "--mode", "whole-body", "--look", "lens", "--json"]
    assert cli.main([*command, "-o", str(tmp_path / "out.png"), "--focus", "20,30", "--blades", "6"]) == 0
    assert '"look": "lens"' in capsys.readouterr().out
    assert cli.main([*command, "-o", str(tmp_path / "no.png"), "--focus", "999,30"]) == 2
    assert "outside the picture" in capsys.readouterr().err and not (tmp_path / "no.png").exists()


def test_behind_a_soft_person_nothing_of_their_outline_stays_where_a_mask_misses_it():
    height, width = 120, 90
    image = np.full((height, width, 3), 0.8, np.float32)
    person = np.zeros((height, width), bool)
    person[20:110, 30:60] = True
    image[person] = 0.1
    mask = np.zeros((height, width), np.float32)
    mask[22:108, 32:58] = 1  # two pixels too tight
    s = np.where(person, -6, 0).astype(np.float32)
    s[mask == 0] = 0  # and so is the depth
    seam = {outline: render_lens(image, mask, s, person=-6.0, look=LensLook(highlights=1, outline=outline))
            for outline in (0.0, 0.02)}
    beside = slice(45, 75), slice(28, 32)  # the rim of the person that the mask has missed
    column = {outline: result[45:75].mean((0, 2)) for outline, result in seam.items()}
    steps = {outline: float(np.abs(np.diff(values[24:36])).max()) for outline, values in column.items()}
    assert steps[0.02] < 0.15 < steps[0.0]
    assert seam[0.02][beside].mean() > seam[0.0][beside].mean() + 0.1


def test_what_is_estimated_is_not_relied_on():
    careful, given = (suited(mask_given=on, depth_given=on) for on in (False, True))
    assert (careful.near, careful.outline > 0) == (False, True)
    assert given == LensLook()
