"""One HTML file from a payload: styles, scripts and data inlined; nothing in it asks the network for anything."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Final

from budgetsim.page.payload import Payload

WEB: Final = Path(__file__).parent / "web"
MODULES: Final = ("surface", "cost", "allocate", "choose", "words", "charts", "app")  # each uses those before it
_IMPORT: Final = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(async function|function|const) )", re.MULTILINE)


def page_html(payload: Payload) -> str:
    """The page as one HTML document."""
    parts = {
        "STYLE": _read("vendor/uPlot.min.css") + _read("style.css"),
        "LICENSE": _read("vendor/uPlot-LICENSE"),
        "VENDOR": _read("vendor/uPlot.iife.min.js"),
        "SCRIPT": script(),
        "DATA": in_script(payload.data),
        "PACKED": base64.b64encode(payload.packed.data).decode("ascii"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m.group(1)], _read("page.html"))


def script(modules: tuple[str, ...] = MODULES) -> str:
    """Modules as one script: their imports and exports fall away, since all stand in one scope."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", _read(f"{name}.js"))) for name in modules)


def in_script(data: object) -> str:
    """JSON that may stand between script tags, whatever words are in it.

    >>> in_script({"a": "</script>"})
    '{"a":"\\\\u003c/script>"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _read(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")
