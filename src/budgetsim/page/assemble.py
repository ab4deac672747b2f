"""One HTML file from a payload: styles, scripts and data inlined; nothing in it asks the network for anything."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Final

from budgetsim.page.payload import Payload

WEB: Final = Path(__file__).parent / "web"
MODULES: Final = (
    "surface",
    "cost",
    "allocate",
    "objectives",
    "choose",
    "learners",
    "goals",
    "serving",
    "words",
    "charts",
    "app",
)  # each uses those before it
_IMPORT: Final = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ((?:async )?function|const) (\w+)", re.MULTILINE)


def page_html(payload: Payload) -> str:
    """The page as one HTML document."""
    parts = {
        "REFRESH": _refresh(payload),
        "STYLE": _read("vendor/uPlot.min.css") + _read("style.css"),
        "LICENSE": _read("vendor/uPlot-LICENSE"),
        "VENDOR": _read("vendor/uPlot.iife.min.js"),
        "SCRIPT": script(),
        "DATA": in_script(payload.data),
        "PACKED": base64.b64encode(payload.packed.data).decode("ascii"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m.group(1)], _read("page.html"))


def _refresh(payload: Payload) -> str:
    """A page of a campaign under way opens itself again; its address, and so its sliders, stay."""
    campaign = payload.data["campaign"]
    if campaign is None or campaign["refresh_s"] is None:
        return ""
    return f'<meta http-equiv="refresh" content="{campaign["refresh_s"]:d}">'


def script(modules: tuple[str, ...] = MODULES) -> str:
    """Modules as one script: each a scope of its own that gives what it exports."""
    return "\n".join(_scope(name, _read(f"{name}.js")) for name in modules)


def _scope(name: str, text: str) -> str:
    """A module as a constant that holds its exports.

    >>> _scope("one", 'import { a } from "./zero.js";\\nexport const b = a;')
    'const module_one = (() => {\\nconst { a } = module_zero;\\nconst b = a;\\nreturn { b };\\n})();'
    """
    exports = ", ".join(match.group(2) for match in _EXPORT.finditer(text))
    body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(r"const \1 = module_\2;", text))
    return f"const module_{name} = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();"


def in_script(data: object) -> str:
    """JSON that may stand between script tags, whatever words are in it.

    >>> in_script({"a": "</script>"})
    '{"a":"\\\\u003c/script>"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _read(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")
