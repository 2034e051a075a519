# SPDX-License-Identifier: GPL-3.0-or-later
"""Spoilt weights, cards, checkpoints and results end in what they should be or in the one error of their module."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dofkit.checkpoints import Checkpoints
from dofkit.claims import claims_page
from dofkit.coarse.network import CoarseNetwork
from dofkit.engines import Engine, TrainingError
from dofkit.files import PhotoError
from dofkit.guidance import Guidance
from dofkit.refining import BUILDERS
from dofkit.results import ResultsError, read_results
from dofkit.spn import SpatialPropagation
from dofkit.weights import WeightsError, card, load_weights, metadata, save_weights
from tests.faults.damage import ODD, bounded, damaged, fuzz, odd_json, outcome


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, bytes]:
    """Small weights of both kinds of networks."""
    folder, found = tmp_path_factory.mktemp("weights"), {}
    for name, model, arguments in (("coarse", CoarseNetwork(width=2), {"width": 2}),
                                   ("spn", SpatialPropagation(width=1, channels=4, norm=True),
                                    {"width": 1, "channels": 4, "norm": True})):
        file = save_weights(folder / f"{name}.safetensors", model, network=name, arguments=arguments, card="# A card")
        assert isinstance(load_weights(file, BUILDERS), nn.Module)
        found[name] = file.read_bytes()
    return found


def loaded(file: Path) -> Any:
    told = metadata(file)
    return told.numbers >= 0 and load_weights(file, BUILDERS)


@fuzz(40)
@given(st.data())
def test_spoilt_weights(tmp_path, good, data):
    file = tmp_path / "a.safetensors"
    name = data.draw(st.sampled_from(sorted(good)))
    file.write_bytes(data.draw(damaged(good[name], good["coarse"])))
    found = outcome("weights, spoilt", lambda: loaded(file), WeightsError)
    assert isinstance(found, WeightsError) or file.read_bytes() in good.values()


@fuzz(40)
@given(st.data())
def test_forged_weights_with_a_right_seal(tmp_path, good, data):
    """Whoever can write the file can also seal it: the header is odd, and the sha256 is right."""
    whole = good[data.draw(st.sampled_from(sorted(good)))]
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    told = json.loads(header["__metadata__"]["dofkit"])
    if data.draw(st.booleans()):
        values = st.one_of(st.sampled_from([value for value in ODD if value != "deep"]), st.integers(-5, 2000))
        told["arguments"] = {data.draw(st.sampled_from(["width", "channels", "norm", "other", "device"])):
                             data.draw(values) for _ in range(data.draw(st.integers(0, 3)))} | {
                             key: value for key, value in told["arguments"].items() if data.draw(st.booleans())}
        told["network"] = data.draw(st.sampled_from(["coarse", "spn", "", "rnn"]))
        header["__metadata__"]["dofkit"] = json.dumps(told | {"sha256": "0" * 64})
        text = json.dumps(header).encode()
    else:
        header["__metadata__"]["dofkit"] = json.dumps(told | {"sha256": "0" * 64})
        text = data.draw(odd_json(header))
    blank = len(text).to_bytes(8, "little") + text + whole[8 + length :]
    file = tmp_path / "a.safetensors"
    file.write_bytes(blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1))
    found = outcome("weights, forged and sealed", lambda: loaded(file), WeightsError)
    assert isinstance(found, (WeightsError, nn.Module))


@pytest.mark.parametrize("shape", [["a", 10**10], [[0], 10**10], [1e308, 1e308], "ab", [-1], [True], None])
def test_a_shape_that_is_none_takes_no_memory(tmp_path, shape):
    told = json.dumps({"version": 1, "network": "coarse", "arguments": {}, "sha256": "0" * 64})
    text = json.dumps({"__metadata__": {"dofkit": told}, "w": {"dtype": "F16", "shape": shape}}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    with bounded("weights, forged and sealed"), pytest.raises(WeightsError, match="damaged"):
        metadata(tmp_path / "a.safetensors")


@fuzz(10)
@given(st.data())
def test_a_spoilt_card(tmp_path, good, data):
    (tmp_path / "a.safetensors").write_bytes(good["coarse"])
    (tmp_path / "a.md").write_bytes(data.draw(damaged("# Käse\n".encode() * 5)))
    assert isinstance(outcome("card", lambda: card(tmp_path / "a.safetensors"), WeightsError), (str, WeightsError))


@pytest.fixture(scope="module")
def vgg(tmp_path_factory) -> bytes:
    """A file as torchvision's, with too small a network in it."""
    buffer = io.BytesIO()
    torch.save({"features.0.weight": torch.zeros(4, 3, 3, 3), "features.0.bias": torch.zeros(4)}, buffer)
    return buffer.getvalue()


@fuzz(10)
@given(st.data())
def test_spoilt_weights_of_vgg(tmp_path, vgg, good, data):
    file = tmp_path / data.draw(st.sampled_from(["a.pth", "a.safetensors"]))
    file.write_bytes(data.draw(damaged(data.draw(st.sampled_from([vgg, good["coarse"]])), good["coarse"])))
    guidance = Guidance(2, width=1, norm=False)
    found = outcome("weights of VGG-16", lambda: guidance.load_vgg16(file), WeightsError)
    assert isinstance(found, WeightsError)  # of another width even where it can be read


# Checkpoints


def begun(folder: Path):
    """Begin a training, or go on from what is in the folder; every part has a state."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        optimizer = torch.optim.Adam(model.parameters())
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
        checkpoints = Checkpoints(folder, model, optimizer, scheduler, steps=9, engine=Engine("cpu"))
        record = checkpoints.begin()
        model(torch.ones(4, 3)).sum().backward()
        optimizer.step()
        scheduler.step()
        record.add(model, record.step + 1, 0.5, 0.5)
        checkpoints.write(record)
    return record


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    begun(folder)
    begun(folder)
    return folder / "checkpoint.pt"


@fuzz(15)
@given(st.data())
def test_a_spoilt_checkpoint(tmp_path, checkpoint, data):
    folder = tmp_path / "spoilt"
    folder.mkdir(exist_ok=True)
    spoilt = data.draw(damaged(checkpoint.read_bytes()))
    (folder / "checkpoint.pt").write_bytes(spoilt)
    found = outcome("checkpoint, spoilt", lambda: begun(folder), TrainingError)
    if isinstance(found, TrainingError):
        assert (folder / "checkpoint.pt").read_bytes() == spoilt
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@fuzz(25)
@given(changes=st.lists(st.tuples(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.integers(0, 99)),
                        min_size=1, max_size=3))
def test_a_forged_checkpoint(tmp_path, checkpoint, changes):
    """Each change is which of the keys at each level, and what is put there."""
    content = torch.load(checkpoint, weights_only=True)
    tensors = (torch.zeros(0), torch.zeros(2, 2), torch.zeros(2, dtype=torch.complex64))
    values = [value for value in ODD if value != "deep"] + [*tensors]
    for way, number in changes:
        inner: Any = content
        for step in way:
            if not (isinstance(inner, dict) and inner):
                break
            keys = sorted(inner, key=str)
            holder, key = inner, keys[step % len(keys)]
            inner = holder[key]
        holder[key] = copy.deepcopy(values[number % len(values)])
    (tmp_path / "checkpoint.pt").unlink(missing_ok=True)
    torch.save(content, tmp_path / "checkpoint.pt")
    spoilt = (tmp_path / "checkpoint.pt").read_bytes()
    found = outcome("checkpoint, forged", lambda: begun(tmp_path), TrainingError)
    assert not isinstance(found, TrainingError) or (tmp_path / "checkpoint.pt").read_bytes() == spoilt


# Results


@pytest.fixture(scope="module")
def figures(root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    for file in (root / "figures").glob("*.json"):
        shutil.copy(file, folder)
    assert "claims:" in claims_page(folder)
    return folder


@fuzz(4)
@given(st.data())
def test_spoilt_results_of_figures(figures, data):
    name = data.draw(st.sampled_from(["ablation", "benchmarks", "fig03_guided_kernel", "kit_layer_solvers"]))
    file = figures / f"{name}.json"
    whole = file.read_bytes()
    try:
        file.write_bytes(data.draw(odd_json(json.loads(whole))))
        found = outcome("results, for the claims", lambda: claims_page(figures), ResultsError, PhotoError)
        assert isinstance(found, (str, ResultsError))
    finally:
        file.write_bytes(whole)


@fuzz(15)
@given(st.data())
def test_spoilt_results_of_trainings(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data.draw(odd_json({"test": {"iou": [0.5, 0.25]}, "seed": 0})))
    assert isinstance(outcome("results of trainings", lambda: read_results("a", tmp_path), ResultsError),
                      (dict, ResultsError))
