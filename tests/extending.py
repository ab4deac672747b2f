"""The code of docs/extending.md, as the page shows it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


def code_of(file: str) -> str:
    """The block below the name of a file."""
    found = re.search(rf"^`{re.escape(file)}`\n\n```python\n(.*?)^```", _page(), flags=re.DOTALL | re.MULTILINE)
    assert found is not None, file
    return found.group(1)


def line_of(file: str) -> str:
    """The line that goes into a file."""
    found = re.search(rf"^Its line in `{re.escape(file)}`:\n\n```python\n(.*?)^```", _page(), re.DOTALL | re.MULTILINE)
    assert found is not None, file
    return found.group(1)


def said_lines(file: str) -> int:
    """Lines of a file, as the table says them."""
    found = re.search(rf"`{re.escape(file)}`, (\d+) lines", _page())
    assert found is not None, file
    return int(found.group(1))


@contextmanager
def module_of(file: str) -> Iterator[ModuleType]:
    """The block as the module that its file would be, for as long as the context lasts."""
    name = file.removeprefix("src/").removesuffix(".py").replace("/", ".")
    assert name not in sys.modules
    made = ModuleType(name)
    sys.modules[name] = made
    try:
        exec(compile(code_of(file), f"{PAGE.name}: {file}", "exec"), made.__dict__)  # noqa: S102
        yield made
    finally:
        del sys.modules[name]


def _page() -> str:
    return PAGE.read_text(encoding="utf-8")
