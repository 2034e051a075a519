# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that would be large in memory: each is read in a process of its own, which takes less than 2 GB."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tests.faults.damage import BYTES, TIMES, tried

READ = """
import json, os, sys
from pathlib import Path
from dofkit import weights
from dofkit.checkpoints import _read
from dofkit.datasets.matlab import read_mat
from dofkit.engines import TrainingError
from dofkit.maps import read_map
from dofkit.photo import read_photo
from dofkit.recipes.pairs import read_pair
acts = {"photo": read_photo, "map": read_map, "mat": lambda file: read_mat(file, "mask"), "weights": weights.metadata,
        "npz": read_pair, "checkpoint": _read, "nothing": lambda file: None}
for line in sys.stdin:
    kind, file = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1  # an error that is none of ours
        try:
            code = 3 if acts[kind](Path(file)) is None else 0
        except (ValueError, TrainingError) as error:
            code = 3 if type(error).__module__.startswith("dofkit.") else 1
        finally:
            os._exit(code)
    _, status, usage = os.wait4(child, 0)
    print(os.waitstatus_to_exitcode(status), 1024 * usage.ru_maxrss, flush=True)
"""
SIDE = 9990  # 100 megapixels


def png(width, height, bits, colour, row, rows):
    """A PNG of `rows` equal rows, made without ever having it."""
    packer = zlib.compressobj(9)
    block = (b"\0" + row) * min(rows, 100)
    data = b"".join(packer.compress(block) for _ in range(-(-rows // 100))) + packer.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(body)) + name + body + struct.pack(
        ">I", zlib.crc32(name + body)) for name, body in chunks)


def tiff(channels):
    buffer = io.BytesIO()
    values = np.zeros((SIDE, SIDE, channels), np.uint8)
    Image.fromarray(values).save(buffer, "TIFF", compression="tiff_adobe_deflate")
    return buffer.getvalue()


def webp():
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((16000, 6000, 3), np.uint8)).save(buffer, "WEBP", lossless=True, method=0)
    return buffer.getvalue()


def mat_bomb(gigabytes):
    """A mask of so many GB: the element of a real file, whose zeros go on."""
    buffer = io.BytesIO()
    savemat(buffer, {"mask": np.zeros((1000, 1000), np.uint8)})
    head, body = buffer.getvalue()[:128], bytearray(buffer.getvalue()[128:])
    size = gigabytes * 2**30
    at = bytes(body).index(struct.pack("<II", 2, 1_000_000))
    body[4:8] = struct.pack("<I", at + size)
    body[at + 4 : at + 8] = struct.pack("<I", size)
    where = bytes(body).index(struct.pack("<ii", 1000, 1000))
    body[where : where + 8] = struct.pack("<ii", 2**15, gigabytes * 2**15)
    packer = zlib.compressobj(1)
    zeros = bytes(2**24)
    packed = packer.compress(bytes(body[: at + 8])) + b"".join(packer.compress(zeros) for _ in range(size // 2**24))
    packed += packer.flush()
    return head + struct.pack("<II", 15, len(packed)) + packed


def zipped(names, gigabytes, head=b""):
    """A zip whose members are GBs of zeros."""
    buffer, zeros = io.BytesIO(), bytes(2**24)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in names:
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(head)
                for _ in range(gigabytes * 64):
                    member.write(zeros)
    return buffer.getvalue()


def npy_head(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def weights():
    text = json.dumps({"w": {"dtype": "F16", "shape": ["a" * 1000, 10**9], "data_offsets": [0, 2**40]}}).encode()
    return len(text).to_bytes(8, "little") + text


BOMBS = {
    "photo, PNG of one bit": ("photo", ".png", lambda: png(SIDE, SIDE, 1, 0, bytes(-(-SIDE // 8)), SIDE)),
    "photo, PNG grey": ("photo", ".png", lambda: png(SIDE, SIDE, 8, 0, bytes(SIDE), SIDE)),
    "photo, PNG 16 bits": ("photo", ".png", lambda: png(SIDE, SIDE, 16, 2, bytes(6 * SIDE), SIDE)),
    "photo, PNG 16 bits, opacity": ("photo", ".png", lambda: png(SIDE, SIDE, 16, 6, bytes(8 * SIDE), SIDE)),
    "photo, PNG 16 bits, opacity, 75 megapixels": ("photo", ".png",
                                                   lambda: png(8600, 8700, 16, 6, bytes(8 * 8600), 8700)),
    "photo, PNG with more rows than it says": ("photo", ".png", lambda: png(1000, 10, 8, 0, bytes(1000), 3_000_000)),
    "photo, TIFF": ("photo", ".tif", lambda: tiff(3)),
    "photo, TIFF, opacity": ("photo", ".tif", lambda: tiff(4)),
    "photo, WebP": ("photo", ".webp", webp),
    "map, PNG 16 bits": ("map", ".png", lambda: cv2.imencode(".png", np.zeros((SIDE, SIDE), np.uint16))[1].tobytes()),
    "map, npy that claims a terabyte": ("map", ".npy", lambda: npy_head((10**6, 10**6)) + bytes(9)),
    "map, npz named npy": ("map", ".npy", lambda: zipped(["a.npy"], 3, npy_head((3 * 2**15, 2**15)))),
    "mat": ("mat", ".mat", lambda: mat_bomb(3)),
    "npz of pairs": ("npz", ".npz", lambda: zipped([f"{name}.npy" for name in ("image", "result", "mask", "radius")], 1,
                                                   npy_head((2**15, 2**15)))),
    "checkpoint": ("checkpoint", ".pt", lambda: zipped(["archive/data.pkl", "archive/data/0"], 3)),
    "weights": ("weights", ".safetensors", weights),
}


QUICK = ("photo, PNG of one bit", "photo, WebP", "photo, TIFF, opacity", "map, npy that claims a terabyte", "mat",
         "weights")
"""What CI reads; the others take minutes to make and to read."""


@pytest.fixture(scope="module")
def read():
    """Read a file in a process of its own: how that ended, and how many bytes it took."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-c", READ], env=environment, text=True, bufsize=1, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        def ask(kind, file):
            process.stdin.write(json.dumps([kind, str(file)]) + "\n")
            code, largest = map(int, process.stdout.readline().split())
            return code, largest

        empty = ask("nothing", "")[1]
        yield lambda kind, file: (lambda code, largest: (code, largest - empty))(*ask(kind, file))
        process.stdin.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", BOMBS if TIMES > 1 else QUICK)
def test_a_bomb_takes_less_than_two_gigabytes(tmp_path, read, name):
    kind, suffix, make = BOMBS[name]
    file = tmp_path / f"a{suffix}"
    file.write_bytes(make())
    assert file.stat().st_size < 40_000_000
    code, took = read(kind, file)
    tried["bomb"] += 1
    assert code == 3 or (code == 0 and kind in ("photo", "map")), f"ended with {code}"
    assert took < BYTES, f"{took / 2**30:.2f} GB"
