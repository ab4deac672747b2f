"""The labeler of docs/extending.md, registered for a moment, keeps the contract of all labelers."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

import pytest

pytest.importorskip("openai")

from budgetsim import labelers
from budgetsim.errors import InputError
from extending import code_of, line_of, module_of, said_lines
from test_labeler_contract import *  # noqa: F403  the tests themselves
from test_labeler_contract import Case

del globals()["test_every_kind_is_tested_here"]  # of the kinds that stay
FILE = "src/budgetsim/labelers/keywords.py"


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, module_of(FILE) as made:
        line = eval(line_of("src/budgetsim/labelers/__init__.py"), {"Keywords": made.Keywords})  # noqa: S307
        patch.setattr(labelers, "LABELERS", MappingProxyType({**labelers.LABELERS, **line}))
        yield


@pytest.fixture
def case() -> Case:
    return Case("keywords:no=w1:yes=w0:else=no", is_soft=False)


def test_the_table_counts_its_lines() -> None:
    assert len(code_of(FILE).splitlines()) == said_lines(FILE)


@pytest.mark.parametrize(
    "name", ["keywords", "keywords:yes", "keywords:yes=:else=no", "keywords:yes=w0", "keywords:else"]
)
def test_a_bad_name_is_refused_with_the_grammar(name: str) -> None:
    with pytest.raises(InputError, match="write keywords:LABEL=WORD"):
        labelers.get_labeler(name)
