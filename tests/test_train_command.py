# SPDX-License-Identifier: GPL-3.0-or-later
"""`dofkit train`: to weights with cards, through interruptions, and one line for what cannot be."""

from __future__ import annotations

import contextlib
import json

import pytest
import torch

from dofkit import cli
from dofkit.commands import train as command
from dofkit.recipes import making
from dofkit.recipes.segmentation import RECIPES, Recipe
from dofkit.refining import BUILDERS
from dofkit.weights import card, load_weights, metadata

TINY = Recipe((64, 48), (64,), 32, 2, 4, 4, 2, (3,), (2,), (3,), 3e-3, 3, 2, real=False)
WEIGHTS = ("segmentation-coarse", "segmentation-spn")


@pytest.fixture(scope="module", autouse=True)
def shrunk(tmp_path_factory):
    """Profiles of a few steps on a few tiny scenes, which are kept for all of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOFKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("DOFKIT_DATA", raising=False)
        patch.setitem(RECIPES, "quick", TINY)
        patch.setattr(making, "SCENES", 1)
        yield


def call(*arguments) -> int:
    try:
        return cli.main(["train", "segmentation", *map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)


def tensors(folder) -> dict[str, torch.Tensor]:
    return {f"{name} {key}": value for name in WEIGHTS
            for key, value in load_weights(folder / f"{name}.safetensors", BUILDERS).state_dict().items()}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of one unbroken training, in whose parents nothing was."""
    folder = tmp_path_factory.mktemp("trained") / "quick" / "0"
    assert call("--out", folder) == 0
    return folder


@contextlib.contextmanager
def stopping(monkeypatch, stage: str, at: int):
    """Ctrl-C after some step of a stage."""

    @contextlib.contextmanager
    def bar(name):
        def progress(step, steps, loss, validation):
            if (name, step) == (stage, at):
                raise KeyboardInterrupt

        yield progress

    with monkeypatch.context() as patch:
        patch.setattr(command, "step_bar", bar)
        yield


def test_a_training_ends_in_weights_with_cards(trained):
    report = json.loads((trained / "segmentation.json").read_text())
    assert (report["profile"], report["seed"]) == ("quick", 0)
    assert report["photographs"] == {"train": [3, 3], "validation": [2, 2]}
    assert [report["training"][name]["steps"] for name in ("coarse", "guidance", "spn")] == [3, 2, 3]
    assert [len(report["training"][name]["curve"]) for name in ("coarse", "spn")] == [3, 3]
    assert list(report["test"]) == ["scenes, selfie", "scenes, whole body"]
    for name, network in (("coarse", "coarse"), ("spn", "spn")):
        file = trained / f"segmentation-{name}.safetensors"
        assert metadata(file).network == network
        assert "profile quick, seed 0" in card(file) and "| scenes, whole body | 1 |" in card(file)
    assert metadata(trained / "segmentation-spn.safetensors").arguments == {"width": 4, "channels": 2, "norm": True}
    for stage in ("coarse", "guidance", "spn"):
        assert sorted(path.name for path in (trained / stage).iterdir()) == [
            "best.safetensors", "checkpoint.pt", "curve.json"]


def test_standard_output_is_json_and_a_finished_training_is_only_read(trained, capsys, monkeypatch):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    monkeypatch.setattr("dofkit.training.fit", lambda *a, **k: iter(()) if k["start"] == a[4] else pytest.fail("again"))
    assert call("--out", trained) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == json.loads((trained / "segmentation.json").read_text())["test"]
    lines = ["reading photographs", "coarse network", "guidance", "SPN", "evaluation"]
    assert said.err.splitlines() == [f"dofkit: {line}" for line in lines]
    assert {path: path.read_bytes() for path in before} == before


def test_without_a_terminal_each_validation_is_a_line(capsys):
    with command.step_bar("SPN") as progress:
        progress(1, 4, 0.7, None)
        progress(2, 4, 0.6, 0.81234)
    assert capsys.readouterr().err == "dofkit: SPN, step 2 of 4: validation 0.8123\n"
    with command.stages(shown=False)("SPN") as progress:
        assert progress is None
    assert capsys.readouterr().err == ""


def test_what_was_interrupted_goes_on_to_the_same_weights(trained, tmp_path, monkeypatch, capsys):
    for stage, step in (("coarse network", 2), ("guidance", 1), ("SPN", 1), ("SPN", 3)):
        with stopping(monkeypatch, stage, step):
            assert call("--out", tmp_path) == 130
        assert capsys.readouterr().err.endswith("dofkit: stopped\n")
        assert not list(tmp_path.glob("*.safetensors"))
    assert call("--out", tmp_path) == 0
    assert equal(tensors(tmp_path), tensors(trained))
    told = [json.loads((folder / "segmentation.json").read_text()) for folder in (tmp_path, trained)]
    assert told[0]["test"] == told[1]["test"]
    assert told[0]["training"]["spn"]["curve"] == told[1]["training"]["spn"]["curve"]


def test_another_seed_needs_another_folder(trained, tmp_path, capsys):
    before = (trained / "segmentation.json").read_bytes()
    assert call("--out", trained, "--seed", 1) == 2
    said = capsys.readouterr().err
    assert "a training with seed 0, not 1: name another folder" in said and said.count("\n") == 1
    assert (trained / "segmentation.json").read_bytes() == before
    assert call("--out", tmp_path, "--seed", 1) == 0
    assert not equal(tensors(tmp_path), tensors(trained))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--profile", "full"), "nobody said where selfie/ is: set DOFKIT_DATA (or root, --data-root)"),
        (("--profile", "full", "--data-root", "nowhere"), "nowhere, which is no folder"),
        (("--profile", "full", "--data-root", "."), "no selfie set in ."),
        (("--profile", "paper", "--vgg16", "missing.pth"), "there is no file 'missing.pth'"),
        (("--profile", "paper", "--vgg16", "broken.pth"), "'broken.pth' is damaged or no file of weights"),
        (("--vgg16", "broken.pth"), "the guidance of profile quick is narrower than VGG-16: use profile paper"),
        (("--seed", "-1"), "the seed is -1: choose a whole number from 0"),
        (("--seed", 2**63), f"the seed is {2**63}: choose"),
        (("--seed", "one"), "invalid int value: 'one'"),
        (("--devices", "0"), "cannot train on 0 devices"),
        (("--profile", "slow"), "invalid choice: 'slow'"),
        (("--out", "broken.pth"), "cannot use the folder 'broken.pth'"),
        (("--out", "broken.pth/deeper"), "cannot use the folder 'broken.pth/deeper'"),
    ],
)
def test_what_is_wrong_is_one_line_before_any_work(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.pth").write_bytes(b"PK\x03\x04 no weights")
    monkeypatch.setattr("dofkit.recipes.segmentation.scenes", lambda *a, **k: pytest.fail("work began"))
    assert call("--out", "out", *arguments) == 2
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line != "dofkit: reading photographs"]
    assert len(lines) == 1 and message in lines[0] and lines[0].startswith("dofkit: ")
    assert said.out == ""


def test_table_1_has_its_own_seeds_and_one_device(tmp_path, capsys):
    for more in (["--devices", "2"], ["--seed", "3"]):
        assert cli.main(["train", "table1", "--out", str(tmp_path), *more]) == 2
        assert "table1 has its own seeds, and runs on one device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "more", "message"),
    [
        ("table1", ["--vgg16", "vgg.pth"], "narrower than VGG-16: use profile paper"),
        ("rnn", ["--profile", "paper", "--vgg16", "vgg.pth"], "guidance starts from nothing"),
        ("table1", ["--segmentation", "some"], "only the depth networks begin as the segmentation's"),
        ("depth", ["--segmentation", "some"], "there are no weights 'some/segmentation-coarse.safetensors'"),
        ("depth", ["--profile", "paper"], "`dofkit train segmentation --profile paper`, and name their folder"),
    ],
)
def test_options_that_do_not_go_together(target, more, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", target, "--out", "out", *more]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and not list(tmp_path.iterdir())
