# SPDX-License-Identifier: GPL-3.0-or-later
"""Portrait mode from one photograph: Xu et al., "Rendering Portraitures from Monocular Camera and Beyond".

    photo -> mask, depth -> matte -> layers -> guided blur -> picture

The names below are fetched on first use, so that `import dofkit` costs nothing; each lives in the module that
is named after its section of the paper:

>>> import dofkit
>>> dofkit.PortraitMode.__module__
'dofkit.pipeline'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dofkit import cache as _cache
from dofkit import system as _system

if TYPE_CHECKING:
    from dofkit.photo import Photo, PhotoError, read_photo, write_photo
    from dofkit.pipeline import Portrait, PortraitMode
    from dofkit.scenes import Scene, portrait_scene

__version__ = "0.1.0"

__all__ = [
    "Photo",
    "PhotoError",
    "Portrait",
    "PortraitMode",
    "Scene",
    "__version__",
    "portrait_scene",
    "read_photo",
    "write_photo",
]

_ROOMS = {
    "Photo": "photo",
    "PhotoError": "photo",
    "read_photo": "photo",
    "write_photo": "photo",
    "Portrait": "pipeline",
    "PortraitMode": "pipeline",
    "Scene": "scenes",
    "portrait_scene": "scenes",
}

_system.require_system_libraries()
_cache.keep_compiled_code()


def __getattr__(name: str) -> Any:
    """Fetch a public name from its module on first use (PEP 562)."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'dofkit' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"dofkit.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
