# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of weights: what is written comes back, rounded as stated; whatever else lies there is named and refused."""

import hashlib
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from torch import nn

from dofkit import weights
from dofkit.files import PhotoError
from dofkit.weights import WeightsError, card, load_weights, metadata, save_weights, shipped
from dofkit.weights.container import inspect, pack


class Small(nn.Module):
    """Parameters, statistics, a counter, and a buffer that is no part of the state."""

    def __init__(self, width: int = 3, bias: bool = True) -> None:
        super().__init__()
        if width < 1:
            raise ValueError("width must be positive")
        self.register_buffer("mean", torch.tensor([0.5, 0.25]), persistent=False)
        self.net = nn.Sequential(nn.Conv2d(2, width, 3, padding=1, bias=bias), nn.BatchNorm2d(width), nn.ReLU())

    def forward(self, x):
        return self.net(x - self.mean.view(2, 1, 1))


BUILDERS = {"small": Small, "line": nn.Linear}
SHIPPED_BYTES = 8_000_000
CARD = "# A small network\n\nTrained on nothing; IoU not measured.\n"


def trained(seed: int = 0, **arguments) -> Small:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Small(**arguments)
        for _ in range(3):
            model(torch.randn(4, 2, 8, 8))
    return model


def saved(path: Path, **arguments) -> Path:
    return save_weights(path, trained(**arguments), network="small", arguments=arguments, card=CARD)


@pytest.fixture
def file(tmp_path):
    return saved(tmp_path / "small.safetensors", width=5)


def refused(path, match: str) -> str:
    """The one line with which a file is refused, by its name."""
    with pytest.raises(WeightsError, match=match) as caught:
        load_weights(path, BUILDERS)
    message = str(caught.value)
    assert "\n" not in message
    assert Path(path).name in message
    return message


def forged(path: Path, header: object, data: bytes = b"", *, length: int | None = None) -> Path:
    """A safetensors file with this header, written by hand."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def told(**changes) -> str:
    entry = {"version": 1, "network": "small", "arguments": {}, "sha256": "0" * 64} | changes
    return json.dumps({key: value for key, value in entry.items() if value is not ...})


def test_the_network_comes_back(file):
    model, again = trained(width=5).eval(), load_weights(file, BUILDERS)
    x = torch.randn(1, 2, 9, 7, generator=torch.Generator().manual_seed(1))
    assert not again.training
    assert torch.allclose(model(x), again(x), atol=5e-3)
    assert all(p.dtype == torch.float32 and p.device.type == "cpu" for p in again.parameters())
    assert again.net[1].num_batches_tracked == 3
    assert torch.equal(again.mean, torch.tensor([0.5, 0.25]))


def test_rounding_is_what_is_stated(tmp_path):
    exponents = np.linspace(-30, 15.9, 4000)
    line = nn.Linear(4000, 1, bias=False)
    line.weight.data = torch.tensor(2.0**exponents * np.resize([1, -1], 4000), dtype=torch.float32)[None]
    path = save_weights(tmp_path / "line.safetensors", line, network="line", card=CARD,
                        arguments={"in_features": 4000, "out_features": 1, "bias": False})
    w = line.weight.data.double()
    error = (load_weights(path, BUILDERS).weight.data.double() - w).abs()
    large = w.abs() >= 2.0**-14
    assert (error[large] <= 2.0**-11 * w.abs()[large]).all()
    assert (error[~large] <= 2.0**-25).all()
    assert error.max() > 0


def test_another_reader_sees_the_same(file):
    """The safetensors library alone: float16, whole counters, and the metadata as JSON."""
    model = trained(width=5)
    with safetensors.safe_open(str(file), framework="pt") as handle:
        entry = json.loads(handle.metadata()["dofkit"])
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - no mapping
    assert {key: entry[key] for key in ("version", "network", "arguments")} == {
        "version": 1, "network": "small", "arguments": {"width": 5}}
    assert tensors.keys() == model.state_dict().keys()
    for name, value in model.state_dict().items():
        assert tensors[name].dtype == (torch.float16 if value.is_floating_point() else torch.int64)
        assert torch.equal(tensors[name], value.to(tensors[name].dtype))


def test_the_seal_is_of_the_whole_file(file):
    data, seal = file.read_bytes(), metadata(file).sha256.encode()
    assert data.count(seal) == 1
    assert hashlib.sha256(data.replace(seal, b"0" * 64)).hexdigest().encode() == seal


def test_the_same_weights_give_the_same_bytes(tmp_path, file):
    """Also from another process: safetensors itself orders metadata by chance."""
    script = (
        "import sys; sys.path[:0] = [sys.argv[2]]\n"
        "from tests.test_weights import saved; from pathlib import Path; saved(Path(sys.argv[1]), width=5)"
    )
    other = tmp_path / "other.safetensors"
    root = str(Path(__file__).resolve().parent.parent)
    subprocess.run([sys.executable, "-c", script, str(other), root], check=True)
    assert other.read_bytes() == file.read_bytes()


def test_the_model_and_the_random_numbers_are_left_alone(tmp_path, file):
    model = trained()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    save_weights(tmp_path / "a.safetensors", model, network="small", arguments={}, card=CARD)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    state = torch.get_rng_state()
    load_weights(file, BUILDERS)
    assert torch.equal(state, torch.get_rng_state())


def test_metadata_and_card_are_read_without_torch(file):
    script = (
        "import sys\nfrom dofkit.weights import card, metadata, names\n"
        "found = metadata(sys.argv[1]); names()\n"
        "print(found.network, found.arguments, found.numbers, card(sys.argv[1])[:17], 'torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True).stdout
    numbers = sum(value.numel() for value in trained(width=5).state_dict().values())
    assert shown.strip() == f"small {{'width': 5}} {numbers} # A small network False"


@pytest.mark.parametrize("percent", range(0, 100, 5))
def test_a_file_cut_short_is_refused(file, percent):
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * percent // 100])
    refused(file, "cut short")


@pytest.mark.parametrize("seed", range(4))
def test_any_flipped_byte_is_found(file, seed):
    """Every byte of the header and the length, and some of the tensors, each changed at random."""
    rng, data = np.random.default_rng(seed), file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    places = [*range(start), *rng.integers(start, len(data), 50)]
    for place in places:
        broken = bytearray(data)
        broken[place] ^= rng.integers(1, 256)
        file.write_bytes(broken)
        refused(file, r"damaged|changed|cut short|over the limit|format|dofkit did not write|not known|pickle")


def test_more_at_the_end_is_refused(file):
    file.write_bytes(file.read_bytes() + b"\0")
    refused(file, "was changed")


def test_a_huge_claim_takes_no_memory(tmp_path):
    """Lengths, shapes and arguments that ask for terabytes."""
    path = tmp_path / "huge.safetensors"
    shape = {"w": {"dtype": "F16", "shape": [2**40], "data_offsets": [0, 2**41]}}
    large = pack({"weight": torch.zeros(1).half()}, "line", {"in_features": 10**12, "out_features": 1})
    tracemalloc.start()
    for length in (2**63, 2**40, 10**6, 50):
        refused(forged(path, b"{}", length=length), "cut short")
    refused(forged(path, shape | {"__metadata__": {"dofkit": told()}}), "changed")
    path.write_bytes(large)
    refused(path, r"do not fit .*bias is nothing")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    with path.open("wb") as handle:
        handle.truncate(10**12)  # a hole of a terabyte
    refused(path, r"1000000.0 MB, more than any weights of dofkit \(1,000 MB\)")


@pytest.mark.parametrize(
    ("header", "match"),
    [
        (b"not JSON at all", "damaged or no .safetensors"),
        (b"[" * 100_000, "damaged"),
        (b"\xff\xfe{}", "damaged"),
        ([1, 2], "damaged"),
        ({"__metadata__": 5}, "damaged"),
        ({"w": 5, "__metadata__": {"dofkit": told()}}, "damaged"),
        ({"__metadata__": {"dofkit": "{"}}, "damaged"),
        ({"__metadata__": {"dofkit": "[]"}}, "damaged"),
        ({"__metadata__": {"dofkit": 7}}, "damaged"),
        ({"__metadata__": {"dofkit": told(version=...)}}, "damaged"),
        ({"__metadata__": {"dofkit": told(arguments="ab")}}, "damaged"),
        ({"__metadata__": {"dofkit": told(network=None)}}, "damaged"),
        ({"__metadata__": {"dofkit": told(sha256=...)}}, "damaged"),
        ({"__metadata__": {"dofkit": told(sha256="")}}, "changed"),
        ({"__metadata__": {"format": "pt"}}, "dofkit did not write"),
        ({}, "dofkit did not write"),
        ({"__metadata__": {"dofkit": told(version=2)}}, "format 2 and this dofkit reads format 1"),
        ({"__metadata__": {"dofkit": told(version="0.9")}}, "format '0.9'"),
        ({"__metadata__": {"dofkit": told(network="vast")}}, "network 'vast', .* weights of line or small"),
    ],
)
def test_other_headers_are_refused(tmp_path, header, match):
    refused(forged(tmp_path / "other.safetensors", header), match)


def test_a_seal_does_not_make_nonsense_readable(tmp_path):
    """A file that is sealed and yet no safetensors file: a tensor that ends after the file."""
    header = {"w": {"dtype": "F16", "shape": [9], "data_offsets": [0, 18]}, "__metadata__": {"dofkit": told()}}
    path = forged(tmp_path / "odd.safetensors", header, b"\0" * 4)
    blank = path.read_bytes()
    path.write_bytes(blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode()))
    refused(path, "cannot be read")


def test_pickles_are_never_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    for number, zipped in enumerate((True, False)):
        path = tmp_path / f"pickle{number}.safetensors"
        torch.save({"weight": Evil()}, path, _use_new_zipfile_serialization=zipped)
        refused(path, "pickle of torch.save")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["missing.safetensors", "no/such/folder.safetensors", "x" * 300 + ".safetensors"])
def test_missing_files_are_named(tmp_path, name):
    refused(tmp_path / name, "there are no weights|cannot open")


def test_empty_files_folders_and_devices_are_named(tmp_path):
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "folder.safetensors").mkdir()
    refused(tmp_path / "empty.safetensors", r"\(0 bytes\) is empty")
    refused(tmp_path / "folder.safetensors", "no file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.safetensors")
        refused(tmp_path / "pipe.safetensors", "no file")


def test_a_name_is_looked_up_in_the_package():
    with pytest.raises(WeightsError, match="no weights 'nobody' come with dofkit"):
        load_weights("nobody", BUILDERS)
    with pytest.raises(WeightsError, match=r"no weights '../setup' come with dofkit"):
        shipped("../setup")


def test_a_shipped_name_and_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_FOLDER", tmp_path)
    saved(tmp_path / "selfie.safetensors", width=5)
    saved(tmp_path / "whole-body.safetensors", width=2)
    assert weights.names() == ["selfie", "whole-body"]
    assert shipped("selfie") == tmp_path / "selfie.safetensors"
    assert metadata("selfie").arguments == {"width": 5}
    assert card("selfie") == CARD
    assert load_weights("selfie", BUILDERS).net[0].out_channels == 5
    with pytest.raises(WeightsError, match="choose from selfie, whole-body"):
        load_weights("belfie", BUILDERS)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    saved(Path("selfie.safetensors"), width=4)
    Path("selfie.safetensors").rename("selfie")
    assert metadata("selfie").arguments == {"width": 4}


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"width": 4}, r"do not fit .*net.0.bias is numbers of shape \(3,\) and should be .* shape \(4,\), and 5 more"),
        ({"bias": False}, r"net.0.bias is numbers of shape \(3,\) and should be nothing\)"),
        ({"depth": 4}, "cannot build .*unexpected keyword argument 'depth'"),
        ({"width": -4}, "cannot build .*width must be positive"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, arguments, match):
    path = save_weights(tmp_path / "a.safetensors", trained(), network="small", arguments=arguments, card=CARD)
    refused(path, match)


def test_whole_numbers_are_no_weights(tmp_path):
    path = tmp_path / "line.safetensors"
    path.write_bytes(pack({"weight": torch.zeros(1, 2, dtype=torch.int64), "bias": torch.zeros(1).half()}, "line",
                          {"in_features": 2, "out_features": 1}))
    refused(path, "weight is whole numbers of shape")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 7e4])
def test_numbers_that_float16_cannot_hold_are_not_written(tmp_path, bad):
    model = trained()
    with torch.no_grad():
        model.net[0].weight[0, 0, 1, 1] = bad
    with pytest.raises(WeightsError, match=r"net.0.weight holds numbers that are not finite or over 65504"):
        save_weights(tmp_path / "a.safetensors", model, network="small", arguments={}, card=CARD)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [{"a": (1, 2)}, {1: 2}, {"a": np.int64(3)}, {"a": float("nan")}, [1], {"a": {2}}])
def test_arguments_must_survive_json(tmp_path, arguments):
    with pytest.raises(WeightsError, match="JSON cannot hold"):
        save_weights(tmp_path / "a.safetensors", trained(), network="small", arguments=arguments, card=CARD)


def test_weights_of_your_own_may_be_large(tmp_path):
    """8 MB is for what is shipped: the networks of the paper's size are written and read."""
    line, size = nn.Linear(2001, 2000), {"in_features": 2001, "out_features": 2000}
    path = save_weights(tmp_path / "a.safetensors", line, network="line", arguments=size, card=CARD)
    assert path.stat().st_size > SHIPPED_BYTES
    assert torch.equal(load_weights(path, BUILDERS).weight, line.weight.half().float())


def test_there_is_a_limit_all_the_same(tmp_path, monkeypatch):
    assert weights.MAX_BYTES == 1_000_000_000
    monkeypatch.setattr(weights, "MAX_BYTES", SHIPPED_BYTES)
    line = nn.Linear(2001, 2000)  # 8.008 MB
    with pytest.raises(WeightsError, match=r"would take 8.0 MB, over the limit of 8 MB"):
        save_weights(tmp_path / "a.safetensors", line, network="line", arguments={}, card=CARD)
    assert not list(tmp_path.iterdir())


def test_names_and_cards_are_asked_for(tmp_path):
    with pytest.raises(WeightsError, match=r"must end in .safetensors"):
        save_weights(tmp_path / "a.pt", trained(), network="small", arguments={}, card=CARD)
    with pytest.raises(WeightsError, match="needs a card"):
        save_weights(tmp_path / "a.safetensors", trained(), network="small", arguments={}, card=" \n")
    with pytest.raises(PhotoError, match="cannot write"):
        saved(tmp_path / "nowhere" / "a.safetensors")


def test_both_files_or_neither(tmp_path, file, monkeypatch):
    """The disk is full at the card: what was there stays, and nothing new appears."""
    before = file.read_bytes()
    write, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PhotoError, match="No space left"):
        saved(file, width=6)
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.md", "small.safetensors"]


def test_a_card_that_is_not_there_is_named(file):
    assert card(file) == CARD
    file.with_suffix(".md").write_bytes(b"\xff\xff")
    with pytest.raises(WeightsError, match="cannot read the card"):
        card(file)
    file.with_suffix(".md").unlink()
    with pytest.raises(WeightsError, match=r"cannot read the card '.*small.md' \(No such file"):
        card(file)


def test_what_is_shipped_is_small_sealed_and_has_its_card():
    folder = Path(weights.__file__).parent
    files = [shipped(name) for name in weights.names()]
    assert sum(path.stat().st_size for path in files) <= 25_000_000
    for path in files:
        assert path.stat().st_size <= SHIPPED_BYTES
        assert inspect(path).numbers > 0
        data = path.read_bytes().replace(inspect(path).sha256.encode(), b"0" * 64, 1)
        assert hashlib.sha256(data).hexdigest() == inspect(path).sha256
        assert card(path).startswith("# ")
    assert {path.stem for path in folder.glob("*.md")} == set(weights.names())


@pytest.mark.parametrize("length", [0x280, 0x480, 0x580])
def test_a_header_whose_length_begins_like_a_pickle_is_read(tmp_path, length):
    """The length of a header, lowest byte first, may be the first two bytes of a pickle."""
    path = tmp_path / "line.safetensors"
    for pad in range(length):  # the one that makes the header so long
        path.write_bytes(pack({"w": torch.zeros(1)}, "x" * pad, {}))
        if path.read_bytes()[:8] == length.to_bytes(8, "little"):
            break
    assert inspect(path).network == "x" * pad
    assert path.read_bytes()[:2] in (b"\x80\x02", b"\x80\x04", b"\x80\x05")
