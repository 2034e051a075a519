# SPDX-License-Identifier: GPL-3.0-or-later
"""Radii by the f-number: against the circle of confusion of the scenes' lens, in metres and without a unit."""

import json

import numpy as np
import pytest

from dofkit import PhotoError, PortraitMode, cli, write_photo
from dofkit.colour import linear_to_srgb
from dofkit.metrics import psnr
from dofkit.scenes import portrait_scene
from dofkit.scenes.lens import blur_diameter
from dofkit.thin_lens import UNKNOWN_DISTANCE, WIDEST, ThinLens, focus_at, inverse_distance, signed_radius

SIZE = (240, 160)


@pytest.fixture(scope="module")
def scene():
    return portrait_scene(2, SIZE, "whole-body", "validation")


def of(scene, f_number, **options):
    return ThinLens(f_number, 1000 * scene.focal_length, **options)


def radii(lens, z, m):
    q = inverse_distance(z)
    unit = lens.per_metre(z, m)
    return lens.radii(unit * q, unit * focus_at(q, None, m), max(z.shape))


@pytest.mark.parametrize("f_number", [1.4, 4.0])
@pytest.mark.parametrize("number", [0, 2, 5])
def test_radii_are_the_circle_of_confusion(number, f_number):
    scene = portrait_scene(number, SIZE, "whole-body", "validation")
    m = scene.mask.astype(np.float32)
    focus = float(np.median(scene.depth[scene.mask]))
    oracle = blur_diameter(scene.depth, focus=focus, focal_length=scene.focal_length, f_number=f_number,
                           focal_pixels=scene.camera.focal_pixels) / 2
    s = radii(of(scene, f_number), scene.depth, m)
    assert np.allclose(np.abs(s), np.minimum(oracle, WIDEST * max(SIZE)), atol=1e-3)
    assert (s[scene.depth > 1.01 * focus] > 0).all() and (s[scene.depth < 0.99 * focus] < 0).all()


def test_half_the_aperture_is_half_the_radius(scene):
    m = scene.mask.astype(np.float32)
    wide, narrow = (radii(of(scene, f_number), scene.depth, m) for f_number in (4.0, 8.0))
    assert np.allclose(wide, 2 * narrow, atol=1e-5) and wide.max() > 0.5


@pytest.mark.parametrize("unit", [0.01, 3.0])
def test_one_distance_gives_depth_its_unit(scene, unit):
    m = scene.mask.astype(np.float32)
    distance = float(np.median(scene.depth[scene.mask]))
    unknown = -unit / scene.depth  # as the networks have it
    found = radii(of(scene, 2.0, distance=distance), unknown, m)
    assert np.allclose(found, radii(of(scene, 2.0), scene.depth, m), atol=1e-2)
    assumed = radii(of(scene, 2.0), unknown, m)
    assert np.allclose(assumed * UNKNOWN_DISTANCE, found * distance, atol=1e-2)


def test_the_portrait_is_that_of_the_lens(scene):
    """At each f-number nearer to the photograph at that f-number than to those beside it."""
    m, apertures = scene.mask.astype(np.float32), (1.4, 2.8, 5.6)
    focus = 1 / focus_at(inverse_distance(scene.depth), None, m)
    truth = [linear_to_srgb(scene.photograph(n, focus, lens_points=32).clip(0, 1)) for n in apertures]
    for k, n in enumerate(apertures):
        made = PortraitMode(look="lens", thin_lens=of(scene, n))(scene.image, m, scene.depth)
        scores = [psnr(made.result, one) for one in truth]
        assert np.argmax(scores) == k and scores[k] > psnr(scene.image, truth[k]) - 0.1, (n, scores)
        assert made.radii.max() == pytest.approx(np.abs(radii(of(scene, n), scene.depth, m)).max())


def test_without_a_lens_nothing_is_blurred_more_than_the_largest_radius(scene):
    q = inverse_distance(scene.depth)
    s = signed_radius(q, focus_at(q, None, scene.mask), 3.0)
    assert s.max() == 3.0 and s.min() >= -6.0


@pytest.mark.parametrize(("options", "says"), [
    ({"f_number": 0.0}, "f-number is 0"),
    ({"f_number": float("nan")}, "f-number is nan"),
    ({"f_number": 2.0, "focal_length": -50}, "focal length is -50"),
    ({"f_number": 2.0, "distance": 0.04}, "beyond the focal length"),
    ({"f_number": 2.0, "distance": float("inf")}, "beyond the focal length"),
])
def test_lenses_that_do_not_exist(options, says):
    with pytest.raises(PhotoError, match=says):
        ThinLens(**options)


@pytest.mark.parametrize(("options", "says"), [
    ({"look": "lens", "max_radius": 4.0}, "leave out the f-number or the largest radius"),
    ({}, "choose look lens"),
])
def test_options_that_do_not_go_together(options, says):
    with pytest.raises(PhotoError, match=says):
        PortraitMode(thin_lens=ThinLens(2.0), **options)


@pytest.mark.parametrize(("z", "says"), [(0.0, "infinitely far"), (0.001, "inside a lens of 50 mm")])
def test_depths_without_a_place_for_the_lens(scene, z, says):
    mode = PortraitMode(look="lens", thin_lens=ThinLens(2.0))
    depth = np.full(SIZE, z, np.float32)
    depth[0, 0] += 1
    with pytest.raises(PhotoError, match=says):
        mode(scene.image, scene.mask.astype(np.float32), depth)


def test_the_command_line_has_the_lens(scene, tmp_path, capsys):
    write_photo(tmp_path / "in.png", scene.image)
    np.save(tmp_path / "depth.npy", scene.depth)
    command = ["render", str(tmp_path / "in.png"), "--depth", str(tmp_path / "depth.npy"), "--look", "lens", "--json"]
    radius = []
    for n in ("2", "4"):
        lens = ["--f-number", n, "--focal-length", "80", "--distance", "3"]
        assert cli.main([*command, "-o", str(tmp_path / f"{n}.png"), *lens]) == 0
        radius.append(json.loads(capsys.readouterr().out)["radii"][0])
    assert radius[0] == pytest.approx(2 * radius[1], abs=0.01)


@pytest.mark.parametrize(("options", "says"), [
    (["--look", "lens", "--distance", "2"], "give its --f-number"),
    (["--look", "lens", "--f-number", "2", "--max-radius", "5"], "leave out the f-number"),
    (["--f-number", "2"], "--f-number belongs to a lens: add --look lens"),
    (["--focus", "3,4"], "--focus belongs to a lens: add --look lens"),
    (["--blades", "6"], "--blades belongs to a lens: add --look lens"),
    (["--look", "lens", "--f-number", "-1"], "f-number is -1"),
])
def test_the_command_line_refuses_in_one_line(options, says, scene, tmp_path, capsys):
    write_photo(tmp_path / "in.png", scene.image)
    assert cli.main(["render", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), *options]) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1 and not (tmp_path / "out.png").exists()
