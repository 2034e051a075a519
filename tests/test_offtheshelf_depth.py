# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth models of others: tiny ones built here and read back without network, against the model's own class."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("transformers", reason="pip install 'dofkit[transformers]'")

import transformers

from dofkit.coarse import hub
from dofkit.coarse.hub import ModelError
from dofkit.coarse.offtheshelf_depth import load_depth
from dofkit.depth import estimator


@pytest.fixture(autouse=True)
def _quiet_and_offline(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asked for the network"))
    with hub.quiet():
        yield


@pytest.fixture(scope="module")
def image():
    smooth = cv2.resize(np.random.default_rng(3).random((6, 5, 3)).astype(np.float32), (90, 130))
    return np.clip(smooth, 0, 1)


def dpt(folder: Path) -> Path:
    """Its numbers grow towards the camera, as MiDaS's do."""
    config = transformers.DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[4, 4, 8, 8], fusion_hidden_size=8, head_in_index=-1)
    return saved(transformers.DPTForDepthEstimation, config, folder,
                 transformers.DPTImageProcessor(size={"height": 64, "width": 64}))


def glpn(folder: Path) -> Path:
    """Its numbers are metres."""
    config = transformers.GLPNConfig(depths=[1] * 4, hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2],
                                     decoder_hidden_size=8)
    return saved(transformers.GLPNForDepthEstimation, config, folder, transformers.GLPNImageProcessor())


def depth_anything(folder: Path, kind: str) -> Path:
    """Of one family there are models of both kinds."""
    backbone = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False)
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=16, neck_hidden_sizes=[4, 4, 8, 8],
        fusion_hidden_size=8, head_hidden_size=8, depth_estimation_type=kind)
    return saved(transformers.DepthAnythingForDepthEstimation, config, folder,
                 transformers.DPTImageProcessor(size={"height": 56, "width": 56}))


def saved(kind, config, folder: Path, processor) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config).eval()
        for parameter in model.parameters():  # as they start, depth is nearly the same everywhere
            parameter.data += 0.1 * torch.rand_like(parameter)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def expected(kind, processor, folder: Path, image: np.ndarray) -> np.ndarray:
    """What the model's own class gives, resized by OpenCV."""
    picture = Image.fromarray((image * 255).round().astype(np.uint8))
    pixels = processor.from_pretrained(folder)(picture, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        d = kind.from_pretrained(folder).eval()(pixels).predicted_depth[0].numpy()
    return cv2.resize(d, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def close(found: np.ndarray, truth: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (truth.shape, np.float32)
    assert truth.std() > 1e-3
    np.testing.assert_allclose(found, truth, atol=2e-3 * np.abs(truth).max())


def test_what_grows_towards_the_camera_is_turned_over(tmp_path, image):
    folder = dpt(tmp_path)
    close(load_depth(str(folder))(image),
          -expected(transformers.DPTForDepthEstimation, transformers.DPTImageProcessor, folder, image))


def test_metres_are_kept(tmp_path, image):
    folder = glpn(tmp_path)
    close(load_depth(str(folder))(image),
          expected(transformers.GLPNForDepthEstimation, transformers.GLPNImageProcessor, folder, image))


def test_a_family_of_both_kinds_says_which(tmp_path):
    for kind, sign in (("relative", -1), ("metric", 1)):
        assert load_depth(str(depth_anything(tmp_path / kind, kind))).sign == sign


def test_the_user_may_say_which(tmp_path):
    folder = dpt(tmp_path)
    assert [load_depth(f"{folder}#{larger}").sign for larger in ("nearer", "farther")] == [-1, 1]
    with pytest.raises(ModelError, match=r"what does a larger number of .* mean.*#nearer' or .*#farther'"):
        load_depth(f"{folder}#deeper")


def test_a_segmentation_model_is_refused(tmp_path):
    config = transformers.SegformerConfig(depths=[1] * 4, hidden_sizes=[8, 8, 16, 16],
                                          num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16)
    folder = saved(transformers.SegformerForSemanticSegmentation, config, tmp_path,
                   transformers.SegformerImageProcessor())
    with pytest.raises(ModelError, match="a 'segformer' estimates no depth: choose Depth Anything"):
        load_depth(str(folder))


def test_numbers_that_are_not_finite_are_named(tmp_path, image):
    model = load_depth(str(glpn(tmp_path)))
    next(model.model.parameters()).data.fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        model(image)


def test_it_is_a_guess_for_the_spn(tmp_path, image):
    folder = glpn(tmp_path)
    found = estimator(f"transformers:{folder}")(image, np.zeros(image.shape[:2], np.float32))
    assert found.z.shape == image.shape[:2] and np.isfinite(found.z).all()
    assert found.message == f"depth was guessed by {folder} and refined by the SPN"
    order = [np.argsort(np.argsort(z.ravel())) for z in (load_depth(str(folder))(image), found.coarse)]
    assert np.corrcoef(*order)[0, 1] > 0.9
