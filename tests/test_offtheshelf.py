# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of others: tiny ones built here, read back without network, against numpy and the model's own classes."""

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("transformers", reason="pip install 'dofkit[transformers]'")

import transformers

from dofkit.coarse import hub
from dofkit.coarse.hub import ModelError, prepared
from dofkit.coarse.offtheshelf import class_logits, load_segmenter, person_classes, person_logits

LABELS = ("wall", "person", "tree", "car")


@pytest.fixture(autouse=True)
def _quiet_and_offline(monkeypatch):
    """Saving is talkative; whoever asks for the network here fails at once."""
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asked for the network"))
    with hub.quiet():
        yield


def labelled(labels):
    return {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}


def segformer(folder: Path, labels=LABELS, *, processor: bool = True, seed: int = 0) -> Path:
    config = transformers.SegformerConfig(
        depths=[1] * 4, hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16,
        **labelled(labels))
    return saved(transformers.SegformerForSemanticSegmentation, config, folder, seed,
                 transformers.SegformerImageProcessor(size={"height": 96, "width": 64}) if processor else None)


def mobilenet(folder: Path) -> Path:
    """Made for a square cut from the middle of a picture."""
    config = transformers.MobileNetV2Config(depth_multiplier=0.25, **labelled(LABELS))
    return saved(transformers.MobileNetV2ForSemanticSegmentation, config, folder, 1,
                 transformers.MobileNetV2ImageProcessor(size={"shortest_edge": 80}, do_center_crop=True,
                                                        crop_size={"height": 64, "width": 64}))


def dpt(folder: Path) -> Path:
    """A transformer with positions for one size; no image processor."""
    config = transformers.DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[4, 4, 8, 8], fusion_hidden_size=8, **labelled(LABELS))
    return saved(transformers.DPTForSemanticSegmentation, config, folder, 2)


def saved(kind, config, folder: Path, seed: int, processor=None) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind(config).eval()
        for parameter in model.parameters():  # as they start, all classes are nearly the same
            parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def image():
    smooth = cv2.resize(np.random.default_rng(3).random((6, 5, 3)).astype(np.float32), (90, 130))
    return np.clip(smooth, 0, 1)


def expected(model, pixels, classes, shape):
    """log p(person) - log p(rest) from the model's classes, in numpy, and OpenCV's resizing."""
    with torch.no_grad():
        scores = model(pixels).logits[0].double().numpy()
    p = np.exp(scores - scores.max(0))
    p = (p / p.sum(0))[list(classes)].sum(0)
    return cv2.resize((np.log(p) - np.log1p(-p)).astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)


def test_the_person_of_a_segformer(tmp_path, image):
    folder = segformer(tmp_path)
    segmenter = load_segmenter(str(folder))
    v = segmenter(image)
    model = transformers.SegformerForSemanticSegmentation.from_pretrained(folder).eval()
    processor = transformers.SegformerImageProcessor.from_pretrained(folder)
    pixels = processor(Image.fromarray((image * 255).round().astype(np.uint8)), return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 96, 64)
    assert segmenter.labels == ("person",)
    assert (v.shape, v.dtype) == (image.shape[:2], np.float32)
    assert v.std() > 0.01
    np.testing.assert_allclose(v, expected(model, pixels, [1], image.shape[:2]), atol=2e-4)


def test_a_transformer_without_image_processor(tmp_path, image):
    """The picture is stretched to the size that the model was made for."""
    folder = dpt(tmp_path)
    v = load_segmenter(str(folder))(image)
    model = transformers.DPTForSemanticSegmentation.from_pretrained(folder).eval()
    small = np.asarray(Image.fromarray((image * 255).round().astype(np.uint8)).resize((64, 64), 2), np.float64) / 255
    pixels = torch.tensor((small - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).permute(2, 0, 1)[None].float()
    np.testing.assert_allclose(v, expected(model, pixels, [1], image.shape[:2]), atol=2e-4)


def test_the_sigmoid_of_v_is_the_probability():
    logits = torch.randn(2, 5, 4, 3, generator=torch.Generator().manual_seed(0)).double() * 9
    m = person_logits(logits, (1, 3)).sigmoid()
    torch.testing.assert_close(m, logits.softmax(1)[:, [1, 3]].sum(1))


def test_logits_far_apart_stay_finite():
    v = person_logits(torch.tensor([500.0, -500.0, -500.0]).view(1, 3, 1, 1), (1,))
    assert v.item() == -1000


def test_one_class_is_a_logit_already(tmp_path, image):
    folder = segformer(tmp_path, ["foreground"])
    v = load_segmenter(str(folder))(image)
    model = transformers.SegformerForSemanticSegmentation.from_pretrained(folder).eval()
    pixels = load_segmenter(str(folder)).prepare(image)
    with torch.no_grad():
        scores = model(pixels).logits[0, 0].numpy()
    np.testing.assert_allclose(v, cv2.resize(scores, image.shape[1::-1]), atol=1e-5)


def test_nothing_is_cut_off(tmp_path):
    """A processor that crops would lose the ends of a tall photograph: here they stay, at the model's scale."""
    tall = np.full((300, 100, 3), 0.5, np.float32)
    tall[:20], tall[-20:] = (1, 0, 0), (0, 0, 1)
    segmenter = load_segmenter(str(mobilenet(tmp_path)))
    pixels = segmenter.prepare(tall)
    assert pixels.shape == (1, 3, 240, 80)
    assert pixels[0, 0, 4].mean() > pixels[0, 0, 120].mean() + 0.5  # red above
    assert pixels[0, 2, -4].mean() > pixels[0, 2, 120].mean() + 0.5  # blue below
    assert segmenter(tall).shape == (300, 100)


def test_queries_are_summed_over():
    """MaskFormer's Eq. 2 by loops."""
    rng = np.random.default_rng(0)
    classes, masks = rng.normal(size=(1, 4, 3)), rng.normal(size=(1, 4, 2, 5))

    class Outputs:
        class_queries_logits, masks_queries_logits = torch.tensor(classes), torch.tensor(masks)

    p = class_logits(Outputs).softmax(1)[0].numpy()
    scores = np.zeros((2, 2, 5))  # the last class is "no object"
    for q in range(4):
        share = np.exp(classes[0, q]) / np.exp(classes[0, q]).sum()
        for c in range(2):
            scores[c] += share[c] / (1 + np.exp(-masks[0, q]))
    np.testing.assert_allclose(p, scores / scores.sum(0), rtol=1e-9)


def test_a_mask2former_answers_at_the_photographs_size(tmp_path, image):
    backbone = transformers.SwinConfig(embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=4,
                                       out_features=["stage1", "stage2", "stage3", "stage4"])
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=16,
        encoder_layers=1, decoder_layers=2, dim_feedforward=16, num_attention_heads=2, num_queries=5,
        **labelled(LABELS))
    folder = saved(transformers.Mask2FormerForUniversalSegmentation, config, tmp_path, 3,
                   transformers.Mask2FormerImageProcessor(size={"shortest_edge": 64, "longest_edge": 128}))
    v = load_segmenter(str(folder))(image)
    assert v.shape == image.shape[:2]
    assert np.isfinite(v).all()
    assert v.std() > 0


@pytest.mark.parametrize("shape", [(32, 32), (1, 1), (3, 3), (7, 200), (211, 33)])
@pytest.mark.parametrize("processor", [True, False])
def test_photographs_of_any_size(tmp_path, shape, processor):
    segmenter = load_segmenter(str(segformer(tmp_path, processor=processor)))
    v = segmenter(np.random.default_rng(0).random((*shape, 3)).astype(np.float32))
    assert v.shape == shape
    assert np.isfinite(v).all()


def test_the_default_keeps_the_aspect():
    assert prepared(np.zeros((3000, 4000, 3), np.float32)).shape == (1, 3, 448, 576)
    x = prepared(np.full((512, 512, 3), (0.485, 0.456 + 0.224, 1.0), np.float32))
    np.testing.assert_allclose(x[0, :, 9, 9], [0, 1, (1 - 0.406) / 0.225], atol=0.01)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (LABELS, ["person"]),
        (["wall", "Person, individual, someone", "armchair", "hair drier"], ["Person, individual, someone"]),
        (["background", "face", "hair", "person", "dog"], ["face", "hair", "person"]),
        (["road", "person", "rider", "bicycle"], ["person", "rider"]),
        (["Background", "Hat", "Hair", "Upper_clothes", "Face"], ["Hat", "Hair", "Upper_clothes", "Face"]),
        (["Background", "Face_Neck", "Left_Foot"], ["Face_Neck", "Left_Foot"]),
        (["background", "foreground"], ["foreground"]),
        (["background/other", "woman/man"], ["woman/man"]),
        (["human"], ["human"]),
    ],
)
def test_which_classes_are_the_person(labels, found):
    assert [labels[index] for index in person_classes(dict(enumerate(labels)))] == found


@pytest.mark.parametrize("labels", [["wall", "tree"], ["LABEL_0", "LABEL_1"], ["hair", "tree"], ["personal computer"]])
def test_without_a_person_the_classes_are_listed(tmp_path, labels):
    folder = segformer(tmp_path, labels)
    with pytest.raises(ModelError, match=rf"has no classes named after a person \({', '.join(labels)}\): say which"):
        load_segmenter(str(folder))


def test_a_background_is_needed(tmp_path):
    with pytest.raises(ModelError, match="has only classes named after a person"):
        person_classes({0: "man", 1: "woman"}, "x")
    many = {number: f"thing {number}" for number in range(150)}
    with pytest.raises(ModelError, match="thing 29 and 120 more"):
        person_classes(many, "x")


def test_the_user_may_name_the_classes(tmp_path, image):
    folder = segformer(tmp_path, ["LABEL_0", "LABEL_1", "Tree, big"])
    segmenter = load_segmenter(f"{folder}#tree,label_1")
    assert segmenter.labels == ("LABEL_1", "Tree, big")
    np.testing.assert_allclose(segmenter(image), -load_segmenter(f"{folder}#LABEL_0")(image), atol=1e-4)
    with pytest.raises(ModelError, match="has no class 'bush': choose from LABEL_0, LABEL_1, Tree"):
        load_segmenter(f"{folder}#bush")
    with pytest.raises(ModelError, match="all classes of"):
        load_segmenter(f"{folder}#tree,label_1,label_0")


def refused(folder: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        load_segmenter(str(folder))
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_damaged_folders_are_named(tmp_path):
    whole = segformer(tmp_path / "whole")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "there is no config.json in the folder of")
    weights = (whole / "model.safetensors").read_bytes()
    (whole / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    refused(whole, "cannot be loaded")
    (whole / "model.safetensors").unlink()
    torch.save({}, whole / "pytorch_model.bin")  # a pickle is not looked at
    refused(whole, "cannot be loaded .*it needs config.json and model.safetensors")
    (whole / "model.safetensors").write_bytes(weights)
    (whole / "preprocessor_config.json").write_text("{")
    refused(whole, "image processor of .* cannot be loaded")
    (whole / "config.json").write_text("{")
    refused(whole, "cannot be loaded")


def test_a_model_without_its_head_is_refused(tmp_path):
    """transformers would fill it with random numbers and only warn."""
    folder = segformer(tmp_path)
    config = transformers.SegformerConfig.from_pretrained(folder)
    transformers.SegformerForImageClassification(config).save_pretrained(folder)
    refused(folder, "was not trained for what it is asked: its file has no decode_head.* and .* more")


def test_shapes_that_differ_are_refused(tmp_path):
    folder = segformer(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["decoder_hidden_size"] = 24
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder, "cannot be loaded")


def test_a_model_of_another_kind_is_refused(tmp_path):
    transformers.BertConfig(hidden_size=8, num_attention_heads=1).save_pretrained(tmp_path)
    refused(tmp_path, "cannot be used: a 'bert' does no semantic segmentation: choose SegFormer")


def test_damaged_weights_are_noticed(tmp_path, image):
    folder = segformer(tmp_path)
    segmenter = load_segmenter(str(folder))
    segmenter.model.decode_head.classifier.bias.data[1] = float("nan")
    with pytest.raises(ModelError, match="numbers that are not finite"):
        segmenter(image)


@pytest.mark.parametrize("spec", ["./nowhere", "a/b/c", "/no/such/folder", "C:\\models", "", "#hair", "two words"])
def test_what_is_no_name_is_not_looked_up(spec):
    with pytest.raises(ModelError, match=r"there is no folder|no model is named"):
        load_segmenter(spec)


def test_a_file_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"there is no folder 'model.safetensors'"):
        load_segmenter("model.safetensors")


ASK = (
    "import sys, numpy\nfrom dofkit.coarse.offtheshelf import load_segmenter\n"
    "try:\n    v = load_segmenter(sys.argv[1])(numpy.zeros((8, 6, 3), numpy.float32))\n    print(f'{v.mean():.5f}')\n"
    "except ValueError as error:\n    print(error)"
)


def asked(spec: str, home: Path, **settings: str) -> str:
    """What another process says of a model, with a cache of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"} | settings
    result = subprocess.run([sys.executable, "-c", ASK, spec], capture_output=True, text=True, env=environment)
    assert "Traceback" not in result.stderr
    return result.stdout.strip()


class Hub(http.server.BaseHTTPRequestHandler):
    """One model, "some/model", at one commit; keeps what was asked for."""

    folder: Path
    asked: list

    def do_GET(self):
        path, commit = self.path.partition("?")[0], "c" * 40
        name = path.rpartition("/")[2]
        if path.startswith("/api/models/some/model"):
            files = [{"rfilename": file.name} for file in sorted(self.folder.iterdir())]
            tree = [{"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "1"}
                    for file in sorted(self.folder.iterdir())]  # what newer clients ask for
            told = {"_id": "1", "id": "some/model", "sha": commit, "siblings": files}
            body = json.dumps(tree if "/tree/" in path else told).encode()
        elif path.startswith("/some/model/resolve/") and (self.folder / name).exists():
            body = (self.folder / name).read_bytes()
            self.asked.append(name)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        for key, value in {"ETag": f'"{name}"', "X-Repo-Commit": commit, "Content-Length": len(body)}.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


def test_a_name_is_downloaded_once_and_without_pickles(tmp_path):
    folder = segformer(tmp_path / "model")
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "modeling_own.py").write_text("raise SystemExit")
    served = type("Served", (Hub,), {"folder": folder, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint, home = f"http://127.0.0.1:{server.server_port}", tmp_path / "home"
        first = asked("some/model", home, HF_ENDPOINT=endpoint)
        missing = asked("some/other", home, HF_ENDPOINT=endpoint)
        server.shutdown()
    v = load_segmenter(str(folder))(np.zeros((8, 6, 3), np.float32))
    assert first == f"{v.mean():.5f}"
    assert set(served.asked) == {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert asked("some/model", home, HF_HUB_OFFLINE="1") == first  # from the cache
    assert missing.startswith("cannot get the model 'some/other', which is no folder here (the hub has no such model")


@pytest.mark.parametrize("settings", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_without_network_a_name_is_one_line(tmp_path, settings):
    assert asked("nobody/nothing", tmp_path, **settings) == (
        "cannot get the model 'nobody/nothing', which is no folder here (it is not in the cache and the hub cannot be "
        "reached): check the name and the network, or give a folder with config.json and model.safetensors"
    )


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError, match=r"pip install 'dofkit\[transformers\]'"):
        load_segmenter("some/model")
