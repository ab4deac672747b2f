"""What a run of the tests collects, and what it costs to have it imported."""

import gc
from collections.abc import Generator
from importlib.util import find_spec

import pytest

# without torch (extra `measure`) the learners room cannot be collected for its doctests; the rest is
collect_ignore_glob = (
    []
    if find_spec("torch") and find_spec("transformers")
    else [f"src/budgetsim/learners/{name}.py" for name in ("distill", "evaluate", "finetune", "flops", "models")]
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported now stays: no search for garbage looks at it, now or in trainings, which ask for one each."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()
