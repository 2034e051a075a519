# SPDX-License-Identifier: GPL-3.0-or-later
"""The guidance network against VGG-16 as its paper and torchvision's file have it."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from dofkit.guidance import MEAN, STD, Guidance, encoder
from dofkit.weights import WeightsError

PAPER = [64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool"]
"""Configuration D of Simonyan and Zisserman, Table 1."""

PLACES = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
"""Where the convolutions stand in torchvision's `features`."""


@pytest.fixture(scope="module")
def vgg16():
    """Random numbers under the names of torchvision's file."""
    rng = torch.Generator().manual_seed(0)
    found, before = {}, 3
    for place, after in zip(PLACES, [layer for layer in PAPER if layer != "pool"], strict=True):
        found[f"features.{place}.weight"] = torch.randn(after, before, 3, 3, generator=rng) / (3 * before**0.5)
        found[f"features.{place}.bias"] = torch.randn(after, generator=rng) / 10
        before = after
    return found | {"classifier.0.weight": torch.zeros(4, 3), "classifier.0.bias": torch.zeros(4)}


@pytest.fixture(scope="module", params=["zip.pth", "old.pth", "copy.safetensors"])
def file(request, vgg16, tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg16") / request.param
    if path.suffix == ".safetensors":
        save_file(vgg16, path)
    else:
        torch.save(vgg16, path, _use_new_zipfile_serialization=request.param == "zip.pth")
    return path


def full_width(inputs=3):
    return Guidance(1, width=64, inputs=inputs, norm=False)


def convolutions(module):
    return [(layer.in_channels, layer.out_channels) for layer in module.modules() if isinstance(layer, nn.Conv2d)]


def test_full_width_has_vgg16s_names_shapes_and_size(vgg16):
    with torch.device("meta"):
        found = {f"features.{name}": value.shape for name, value in encoder(64, norm=False).state_dict().items()}
    assert found == {name: value.shape for name, value in vgg16.items() if name.startswith("features")}
    assert sum(shape.numel() for shape in found.values()) == 14_714_688


def test_narrow_is_the_same_network_with_fewer_channels():
    with torch.device("meta"):
        wide, narrow = (convolutions(encoder(width)) for width in (64, 4))
    assert [(before if before == 3 else before // 16, after // 16) for before, after in wide] == narrow


@pytest.mark.parametrize("norm", [False, True])
def test_decoder_mirrors_the_encoder_channel_for_channel(norm):
    network = Guidance(7, width=4, norm=norm)
    down = convolutions(network.features)
    up = [convolutions(block) for block in network.ups]
    ends = [block[-1] for block in up]
    for block in up:  # the first convolution of each also takes the skip, as wide as that block of the encoder
        block[0] = (block[0][0] - block[0][1] if len(block) > 1 else 0, block[0][1])
    mirrored = [(after, before) for before, after in reversed(down)]
    found = [pair for block in up for pair in block]
    assert [len(block) for block in up] == [3, 3, 3, 2, 2]
    assert found[:-1] == mirrored[:-1]
    assert ends[-1] == (4, 4)  # where the encoder took RGB, the head follows
    assert convolutions(network.head) == [(4, 7)]
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()) == norm


def test_loads_torchvisions_file(file, vgg16):
    network = full_width()
    decoder = {name: value.clone() for name, value in network.state_dict().items() if "features" not in name}
    network.load_vgg16(file)
    loaded = network.state_dict()
    for name, value in vgg16.items():
        assert name.startswith("classifier") or torch.equal(loaded[name], value)
    assert all(torch.equal(loaded[name], value) for name, value in decoder.items())


def test_encodes_like_vgg16(tmp_path, vgg16):
    path = tmp_path / "vgg16.pth"
    torch.save(vgg16, path)
    network = full_width()
    network.load_vgg16(path)
    seen = []
    network.features[-1].register_forward_hook(lambda _, __, out: seen.append(out))
    image = torch.rand(1, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        network(image)
    x, places = (image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1), iter(PLACES)
    for layer in PAPER:
        if layer == "pool":
            x = F.max_pool2d(x, 2)
        else:
            weight, bias = (
                vgg16[f"features.{place}.{part}"] for place in [next(places)] for part in ("weight", "bias")
            )
            x = F.conv2d(x, weight, bias, padding=1).relu()
    assert x.std() > 0.01
    torch.testing.assert_close(seen[0], x, rtol=1e-4, atol=1e-5)


def test_further_channels_start_at_zero(tmp_path, vgg16):
    path = tmp_path / "vgg16.pth"
    torch.save(vgg16, path)
    network = full_width(inputs=5)
    network.load_vgg16(path)
    first = network.features[0].weight
    assert torch.equal(first[:, :3], vgg16["features.0.weight"]) and not first[:, 3:].any()
    image = torch.rand(1, 5, 32, 32)
    with torch.no_grad():
        before = network.features[0]((image - network.mean) / network.std)
        image[:, 3:] = torch.randn(1, 2, 32, 32)
        assert torch.equal(network.features[0]((image - network.mean) / network.std), before)


def cut(path, vgg16):
    torch.save(vgg16, path)
    path.write_bytes(path.read_bytes()[:1_000_000])


class Harmful:
    def __reduce__(self):
        return print, ("never run",)


FAULTS = {
    "missing": (lambda path, vgg16: None, "no file"),
    "folder": (lambda path, vgg16: path.mkdir(), "no file"),
    "cut": (cut, "damaged"),
    "empty": (lambda path, vgg16: path.write_bytes(b""), "damaged"),
    "text": (lambda path, vgg16: path.write_text("not a network"), "damaged"),
    "code": (lambda path, vgg16: torch.save({"features.0.weight": Harmful()}, path), "damaged"),
    "list": (lambda path, vgg16: torch.save([1, 2], path), "holds a list"),
    "another": (lambda path, vgg16: torch.save({"conv1.weight": torch.zeros(2)}, path), "features.0.weight is missing"),
    "vgg16_bn": (
        lambda path, vgg16: torch.save({**vgg16, "features.28.weight": torch.zeros(512)}, path),
        r"features.28.weight is of shape \(512,\), not \(512, 512, 3, 3\)",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_other_files_are_named_and_change_nothing(fault, suffix, tmp_path, vgg16, capsys):
    make, message = FAULTS[fault]
    path = tmp_path / f"file{suffix}"
    make(path, vgg16)
    network = full_width()
    before = network.features[0].weight.clone()
    with pytest.raises(WeightsError, match="damaged" if suffix != ".pth" and path.is_file() else message) as caught:
        network.load_vgg16(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value) and isinstance(caught.value, ValueError)
    assert torch.equal(network.features[0].weight, before) and capsys.readouterr().out == ""


@pytest.mark.parametrize("arguments", [{"width": 4, "norm": False}, {"width": 4, "norm": True}])
def test_narrow_or_normalised_takes_no_vgg16(arguments, tmp_path):
    with pytest.raises(WeightsError, match="width=64, norm=False"):
        Guidance(1, **arguments).load_vgg16(tmp_path / "any.pth")


def test_grey_is_refused():
    with pytest.raises(ValueError, match="not 1 channels"):
        Guidance(1, width=4, inputs=1)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (1, 1), (2, 70), (50, 3)])
def test_any_size_will_do(size, norm):
    network = Guidance(5, width=4, inputs=4, norm=norm).eval()
    with torch.no_grad():
        result = network(torch.rand(2, 4, *size))
    assert result.shape == (2, 5, *size) and result.isfinite().all()


def test_loading_leaves_random_numbers_alone(tmp_path, vgg16):
    path = tmp_path / "vgg16.pth"
    torch.save(vgg16, path)
    network = full_width()
    state = torch.get_rng_state()
    network.load_vgg16(path)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_cuda():
    assert Guidance(2, width=4).cuda()(torch.zeros(2, 3, 40, 33).cuda()).shape == (2, 2, 40, 33)
