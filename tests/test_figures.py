# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures leave with provenance, the same bytes each time, and exactly those that the manifest lists."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from dofkit import figures as module
from dofkit import manifest, paper, provenance
from dofkit.figures import encode_png, markdown_table, page_picture, save_figure, save_table, use_style
from dofkit.manifest import Item, ManifestError, check_figures, read_manifest

FIGURE = {"notebook": "05_blur_with_guidance", "profile": "quick", "seed": 0}
TABLE = {"notebook": "02_segment_with_an_spn", "profile": "quick", "seed": 0}


@pytest.fixture
def plot():
    use_style()
    figure, axes = plt.subplots()
    axes.plot([1, 3, 2], label="x")
    axes.legend()
    yield figure
    plt.close("all")


@pytest.fixture
def noise():
    """A figure that hardly compresses."""
    use_style()
    figure, axis = plt.subplots(figsize=(2.4, 1.6))
    axis.imshow(np.random.default_rng(0).random((200, 250, 3)), interpolation="nearest")
    yield figure
    plt.close("all")


def test_a_figure_is_a_small_picture_with_its_provenance(plot, figures):
    photo = np.linspace(0, 1, 12).reshape(2, 2, 3)
    assert (
        save_figure(
            plot,
            "fig03_guided_kernel",
            **FIGURE,
            inputs={"photo": photo, "name": "ramp"},
            metrics={"halo": np.float32(0.123456789), "images": 3},
        )
        is None
    )
    data = (figures / "fig03_guided_kernel.png").read_bytes()
    assert len(data) <= module.FILE_LIMIT
    assert Image.open(io.BytesIO(data)).info == {}
    written = json.loads((figures / "fig03_guided_kernel.json").read_text(encoding="utf-8"))
    assert written == {
        "name": "fig03_guided_kernel",
        "paper": "Fig. 3",
        "notebook": "05_blur_with_guidance",
        "profile": "quick",
        "seed": 0,
        "source": provenance.source_hash(),
        "inputs": {"photo": provenance.input_hash(photo), "name": "ramp"},
        "metrics": {"halo": 0.123457, "images": 3},
    }
    assert sorted(path.name for path in figures.iterdir()) == [
        "fig03_guided_kernel.json",
        "fig03_guided_kernel.png",
    ]


def test_the_same_figure_gives_the_same_bytes(figures, plot):
    save_figure(plot, "fig03_guided_kernel", **FIGURE)
    first = {path.name: path.read_bytes() for path in figures.iterdir()}
    figure, axes = plt.subplots()
    axes.plot([1, 3, 2], label="x")
    axes.legend()
    save_figure(figure, "fig03_guided_kernel", **FIGURE)
    assert {path.name: path.read_bytes() for path in figures.iterdir()} == first


def test_a_large_figure_is_brought_below_the_limit_or_refused(noise, figures):
    data = encode_png(noise, limit=25_000)
    width, _ = Image.open(io.BytesIO(data)).size
    assert len(data) <= 25_000
    assert 0.5 * 2.4 * 150 <= width < 2.4 * 150  # had to be made smaller, not below half
    with pytest.raises(ValueError, match="more than 2000 bytes even at 75 dpi"):
        encode_png(noise, limit=2000)


def test_pictures_in_a_page_are_small_png_for_lines_jpeg_for_photographs(plot, noise):
    noise.set_size_inches(7.2, 3.2)
    for figure, kind in ((plot, "image/png"), (noise, "image/jpeg")):
        ((found, data),) = page_picture(figure).items()
        assert found == kind
        assert Image.open(io.BytesIO(data)).size == (720, 320)
    assert len(page_picture(plot)["image/png"]) <= module.PAGE_LIMIT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "fig13_more"}, "no figure or kit 'fig13_more'; it has fig01"),
        ({"name": "table1_segmentation"}, "no figure or kit 'table1_segmentation'"),
        ({"notebook": "06_learn_the_rnn_filter"}, "comes from '05_blur_with_guidance', not '06_learn"),
        ({"profile": "fast"}, "profile is 'fast'; there are quick, full, paper"),
        ({"metrics": {"psnr": float("nan")}}, "metrics.psnr is nan"),
        ({"metrics": {"psnr": object()}}, "metrics.psnr is a object"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_written(plot, figures, change, message):
    arguments = {"name": "fig03_guided_kernel", **FIGURE, **change}
    with pytest.raises(ValueError, match=message):
        save_figure(plot, **arguments)
    assert not figures.exists()


def test_a_table_keeps_missing_cells_missing(figures):
    rows = [
        {"method": "ours", "IoU, reported": 93.22, "IoU, here": 91.23456},
        {"method": "graph|cut", "IoU, reported": None, "IoU, here": 80},
    ]
    assert save_table(rows, "table1_segmentation", **TABLE) is None
    text = (figures / "table1_segmentation.md").read_text(encoding="utf-8")
    assert text.splitlines() == [
        "| method | IoU, reported | IoU, here |",
        "| :-- | --: | --: |",
        "| ours | 93.22 | 91.23 |",
        "| graph\\|cut | not available here | 80 |",
    ]
    assert json.loads((figures / "table1_segmentation.json").read_text())["rows"][1]["IoU, reported"] is None


def test_a_table_has_rows_with_the_same_columns():
    with pytest.raises(ValueError, match="at least one row"):
        markdown_table([])
    with pytest.raises(ValueError, match="same columns: a, b"):
        markdown_table([{"a": 1, "b": 2}, {"a": 1}])


def test_hashes_see_content_and_no_rounding(tmp_path):
    picture = np.random.default_rng(1).random((5, 6, 3))
    hashed = provenance.input_hash(picture)
    assert hashed == provenance.input_hash(picture.astype(np.float32))
    assert hashed == provenance.input_hash(np.asfortranarray(picture))
    assert hashed != provenance.input_hash(picture.transpose(1, 0, 2))
    assert hashed != provenance.input_hash(picture + 1e-3)
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    assert provenance.input_hash(tmp_path / "a") != provenance.input_hash(tmp_path / "b")


# The manifest


def test_the_manifest_lists_all_of_the_paper():
    items = read_manifest()
    papers = [item.paper for item in items.values() if item.kind in ("figure", "table")]
    assert sorted(papers) == sorted([*(f"Fig. {n}" for n in range(1, 13)), "Table 1", "Table 2"])
    claims = {item.name: item.paper for item in items.values() if item.kind == "claim"}
    assert claims == {claim.id: claim.section for claim in paper.CLAIMS}
    assert all(item.name.startswith("kit_") for item in items.values() if item.kind == "kit")


def test_figures_and_manifest_agree_both_ways(root: Path):
    notebooks = {path.stem for path in (root / "notebooks").glob("*.ipynb")}
    assert check_figures(root / "figures", read_manifest(), notebooks) == []


def entry(**changes: str) -> dict[str, str]:
    return {"name": "fig01", "title": "t", "status": "made", "notebook": "00_a", **changes}


def toml(kind: str, *entries: dict[str, str]) -> str:
    lines = [f"[[{kind}]]\n" + "".join(f'{key} = "{value}"\n' for key, value in e.items()) for e in entries]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[figure]\n", "cannot read"),
        (toml("poem", entry()), r"unknown section \[\[poem\]\]"),
        (toml("figure", entry(), entry()), "fig01 stands there twice"),
        (toml("figure", entry(colour="red")), "unknown fields: colour"),
        (toml("figure", {"name": "x"}), "x lacks status, title"),
        (toml("figure", entry(status="nearly")), "is 'nearly'; there are reproduced"),
        (toml("figure", entry(notebook="")), "by no notebook"),
        (toml("figure", entry(status="not possible")), "without a reason"),
    ],
)
def test_a_faulty_manifest_is_explained(tmp_path, text, message):
    path = tmp_path / "manifest.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match=message):
        read_manifest(path)


def test_a_missing_manifest_is_explained(tmp_path):
    with pytest.raises(ManifestError, match="No such file"):
        read_manifest(tmp_path / "manifest.toml")


def test_a_change_of_the_manifest_is_seen(tmp_path):
    path = tmp_path / "manifest.toml"
    path.write_text(toml("kit", entry()), encoding="utf-8")
    assert list(read_manifest(path)) == ["fig01"]
    path.write_text(toml("kit", entry(name="another")), encoding="utf-8")
    assert list(read_manifest(path)) == ["another"]


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda f: (f / "a.png").unlink(), "a.png is 'made' in the manifest, but missing"),
        (lambda f: (f / "a.json").unlink(), "a.json is missing or broken"),
        (lambda f: (f / "a.json").write_text("{"), "a.json is missing or broken"),
        (
            lambda f: (f / "a.json").write_text('{"notebook": "01_b"}'),
            "a.json says notebook '01_b', the manifest '00_a'",
        ),
        (lambda f: (f / "b.png").write_bytes(b""), "b.png exists, but the manifest calls it 'not yet made'"),
        (lambda f: (f / "z.png").write_bytes(b""), "z.png has no entry in the manifest"),
    ],
)
def test_each_disagreement_is_found(tmp_path, spoil, fault):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "a.json").write_text('{"notebook": "00_a"}')
    items = {
        "a": Item("kit", "a", "t", "made", notebook="00_a"),
        "b": Item("figure", "b", "t", "not yet made", notebook="09_z"),
        "c": Item("claim", "c", "t", "reproduced", evidence="a"),
    }
    assert check_figures(tmp_path, items, {"00_a"}) == []
    spoil(tmp_path)
    assert check_figures(tmp_path, items, {"00_a"}) == [fault]


def test_a_claim_rests_on_something_made_by_a_notebook_that_exists(tmp_path):
    items = {"c": Item("claim", "c", "t", "reproduced", notebook="00_a")}
    assert check_figures(tmp_path, items, set()) == [
        "c is made by 00_a, which does not exist",
        "claim c rests on nothing, which is not made",
    ]


def test_the_package_without_its_checkout_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "site-packages" / "dofkit" / "manifest.py"))
    with pytest.raises(ManifestError, match="clone the repository"):
        manifest.checkout()


def test_the_style_is_the_packages_own(root):
    assert (
        "dofkit" in tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    )
    use_style()
    assert plt.rcParams["image.cmap"] == "viridis"
