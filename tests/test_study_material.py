# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a study: blinded, seeded, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pytest
from PIL import Image

from dofkit import PortraitMode, portrait_scene, read_photo, write_photo
from dofkit.photo import PhotoError
from dofkit.scenes import Scene
from dofkit.study import KINDS, StudyError, material, read_key, read_study
from dofkit.study.material import Plan, build_study

PLAN = Plan(each=2, size=150)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return build_study(tmp_path_factory.mktemp("studies") / "one", PLAN)


def test_a_third_of_the_pictures_is_of_each_kind(study):
    kinds = read_key(study)
    assert sorted(kinds.values()) == sorted(KINDS * 2)
    assert study.material == "scenes"
    assert study == read_study(study.folder)
    for name in study.pictures:
        assert read_photo(study.picture(name)).image.shape == (150, 100, 3)


def test_nothing_but_the_key_tells_the_kinds(study):
    files = [study.picture(name) for name in study.pictures]
    assert len({file.stat().st_size for file in files}) == 1
    assert {file.name for file in study.folder.iterdir()} == {"study.json", "key.json", "pictures",
                                                               "take_the_study.ipynb"}
    assert sorted((study.folder / "pictures").iterdir()) == files
    times = [file.stat().st_mtime_ns for file in files]
    assert times == sorted(times)  # in the order of the names, which are random
    for file in files:
        with Image.open(file) as picture:
            assert (picture.format, picture.mode, dict(picture.getexif())) == ("JPEG", "RGB", {})
            assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            assert len(set(map(tuple, picture.quantization.values()))) == 2
    visible = (study.folder / "study.json").read_text()
    assert not [kind for kind in KINDS if kind in visible]


def test_names_and_kinds_are_in_no_common_order():
    rng = np.random.default_rng(0)
    names = {material._new_name({}, rng) for _ in range(200)}
    assert len(names) == 200
    assert all(len(name) == 8 for name in names)
    taken = dict.fromkeys([np.random.default_rng(1).bytes(4).hex()], b"")
    assert material._new_name(taken, np.random.default_rng(1)) not in taken


def test_every_picture_is_of_another_scene_and_its_kind_is_what_it_says(study):
    """The lens's pictures are through the lens; ours and those without depth are the renderer's of sharp scenes."""
    key, shape = read_key(study), (150, 100)
    scenes = [portrait_scene(i, shape, "whole-body", "test") for i in range(12)]
    shown = {name: read_photo(study.picture(name)).image for name in study.pictures}
    matched = {}
    for name, picture in shown.items():
        errors = [float(np.abs(picture - scene.image)[scene.mask].mean()) for scene in scenes]
        matched[name] = int(np.argmin(errors))
        assert min(errors) < 0.06
    assert len(set(matched.values())) == len(matched)
    for name in {kind: name for name, kind in key.items()}.values():  # one of each kind
        scene: Scene = scenes[matched[name]]
        assert not scene.night
        rendered = {kind: PortraitMode(mode="whole-body", depth=kind == "ours")(scene.image.astype(np.float32)).result
                    for kind in ("ours", "no depth")}
        rendered["lens"] = material.through_lens(scene)
        soft = {kind: without_grain(result) - without_grain(shown[name]) for kind, result in rendered.items()}
        errors = {kind: float(np.abs(difference)[~scene.mask].mean()) for kind, difference in soft.items()}
        assert min(errors, key=errors.__getitem__) == key[name]


def without_grain(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(np.asarray(picture, np.float32), (0, 0), 1.0)


def test_a_photograph_through_the_lens_has_the_noise_of_the_others(study):
    scene = portrait_scene(0, (150, 100), "whole-body", "test")
    clean = material.through_lens(scene, lens_points=128)
    grain = (material._through_lens(scene, np.random.default_rng(0)) - clean)[scene.mask]
    radiance = material.srgb_to_linear(scene.image) - scene.radiance.clip(0, 1)
    assert 0.2 < grain.std() / radiance[scene.mask].std() < 5
    assert grain.std() > 0.003


def test_the_same_seed_is_the_same_study_and_another_one_another(study, tmp_path, monkeypatch):
    again = build_study(tmp_path / "again", PLAN)
    with monkeypatch.context() as patch:  # what another one looks like is not the question
        patch.setattr(material, "_render", lambda photograph, kind: photograph)
        patch.setattr(material, "_through_lens", lambda scene, rng: scene.image)
        other = build_study(tmp_path / "other", Plan(each=2, size=150, seed=1))
    assert (again.id, again.pictures, read_key(again)) == (study.id, study.pictures, read_key(study))
    assert not set(other.pictures) & set(study.pictures)
    first = {name: study.picture(name).read_bytes() for name in study.pictures}
    assert first == {name: again.picture(name).read_bytes() for name in again.pictures}


def test_a_study_that_is_there_is_taken_as_it_is_and_another_one_left_alone(study, monkeypatch):
    monkeypatch.setattr(material, "portrait_scene", lambda *a: pytest.fail("work began"))
    assert build_study(study.folder, PLAN) == study
    with pytest.raises(StudyError, match="holds something else"):
        build_study(study.folder, Plan(each=3, size=150))
    assert read_study(study.folder) == study


def test_a_folder_with_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(material, "portrait_scene", lambda *a: pytest.fail("work began"))
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StudyError, match="holds something else"):
        build_study(tmp_path, PLAN)
    with pytest.raises(StudyError, match="holds something else"):
        build_study(tmp_path / "thesis.tex", PLAN)
    with pytest.raises(StudyError, match="there is no folder"):
        build_study(tmp_path / "no" / "study", PLAN)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_nothing_is_there_before_all_of_it_is(tmp_path, monkeypatch):
    def stop(done, of):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_study(tmp_path / "study", PLAN, progress=stop)
    assert list(tmp_path.iterdir()) == []
    write = Path.write_text
    monkeypatch.setattr(Path, "write_text", lambda self, *a, **k: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(StudyError, match="No space left"):
        material._write_study(tmp_path / "study", {"a": b"1"}, {"a": "lens"}, {"photographs": False})
    monkeypatch.setattr(Path, "write_text", write)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path, study):
    (tmp_path / "new").mkdir()
    files = {name: study.picture(name).read_bytes() for name in study.pictures}
    material._write_study(tmp_path / "new", files, read_key(study), {"photographs": False})
    assert read_study(tmp_path / "new").id == study.id


def test_the_notebook_of_the_study_is_one(study):
    notebook = nbformat.read(study.folder / "take_the_study.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[1].source == material.PAGE


@pytest.mark.parametrize(("options", "message"), [
    ({"each": 1}, "choose 2 to 100"), ({"size": 10}, "choose 96 to 2000"), ({"seed": -1}, "seed is -1"),
    ({"photographs": Path("a")}, "a folder with --slr as well"), ({"slr": Path("a")}, "with --photographs as well"),
])
def test_wrong_plans_are_refused(options, message):
    with pytest.raises(StudyError, match=message):
        Plan(**options)


# The giver's own photographs


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    sharp, real = folder / "sharp", folder / "real"
    sharp.mkdir(), real.mkdir()
    days = [scene for scene in (portrait_scene(i, (180, 120), "whole-body") for i in range(14)) if not scene.night]
    for number, scene in enumerate(days[:4]):
        write_photo(sharp / f"{number}.jpg", scene.image)
    for number, scene in enumerate(days[4:6]):
        write_photo(real / f"{number}.png", material.through_lens(scene)[:, 10:])
    (sharp / "notes.txt").write_text("not a picture")
    return sharp, real


def test_ones_own_photographs_make_a_study(photographs, tmp_path):
    sharp, real = photographs
    study = build_study(tmp_path / "mine", Plan(each=2, size=150, photographs=sharp, slr=real))
    key = read_key(study)
    assert study.material == "photographs"
    assert "SLR" in study.wording.question
    for name in study.pictures:
        shape = read_photo(study.picture(name)).image.shape
        assert shape[0] == 150
        assert shape[1] == (92 if key[name] == "lens" else 100)
    with pytest.raises(StudyError, match="holds something else"):  # nobody knows whether these are the same photographs
        build_study(tmp_path / "mine", Plan(each=2, size=150, photographs=sharp, slr=real))


def test_small_photographs_make_all_pictures_small(photographs, tmp_path):
    sharp, real = photographs
    study = build_study(tmp_path / "mine", Plan(each=2, size=700, photographs=sharp, slr=real))
    assert {max(read_photo(study.picture(name)).image.shape) for name in study.pictures} == {180}


def test_what_is_missing_is_said(photographs, tmp_path):
    sharp, real = photographs
    with pytest.raises(StudyError, match=r"--photographs: .* holds 4 pictures .* needed are 6"):
        build_study(tmp_path / "mine", Plan(each=3, photographs=sharp, slr=real))
    with pytest.raises(StudyError, match="--slr: there is no folder"):
        build_study(tmp_path / "mine", Plan(each=2, photographs=sharp, slr=tmp_path / "no"))
    with pytest.raises(StudyError, match="stands in both folders"):
        build_study(tmp_path / "mine", Plan(each=2, photographs=sharp, slr=sharp))
    assert list(tmp_path.iterdir()) == []


def test_a_photograph_without_anybody_is_named(photographs, tmp_path, monkeypatch):
    sharp, real = photographs

    def nobody(photograph, kind):
        raise PhotoError("nobody was found")

    monkeypatch.setattr(material, "_render", nobody)
    with pytest.raises(PhotoError, match=r"\d\.jpg': nobody was found; take it out"):
        build_study(tmp_path / "mine", Plan(each=2, photographs=sharp, slr=real))


# Reading


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda f: (f / "study.json").unlink(), "holds no study"),
    (lambda f: (f / "study.json").write_text("{"), "is damaged"),
    (lambda f: (f / "study.json").write_text("[]"), "is damaged"),
    (lambda f: (f / "study.json").write_text("{}"), "damaged or of another version"),
    (lambda f: next((f / "pictures").iterdir()).unlink(), "1 of 6 pictures of the study are missing"),
])
def test_a_damaged_study_is_one_clear_error(study, tmp_path, spoil, message):
    copy = _copy(study.folder, tmp_path / "copy")
    spoil(copy)
    with pytest.raises(StudyError, match=message):
        read_study(copy)


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda f: f.unlink(), "who built the study has the key"),
    (lambda f: f.write_text("{"), "is damaged"),
    (lambda f: f.write_text(json.dumps({"id": "other", "kinds": {}})), "is not the key of the study"),
])
def test_a_wrong_key_is_one_clear_error(study, tmp_path, spoil, message):
    copy = _copy(study.folder, tmp_path / "copy")
    spoil(copy / "key.json")
    with pytest.raises(StudyError, match=message):
        read_key(read_study(copy))


def _copy(folder: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(folder, to))
