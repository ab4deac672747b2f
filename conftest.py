"""Without torch (extra `measure`) the learners room cannot be collected for its doctests; the rest is."""

from importlib.util import find_spec

collect_ignore_glob = (
    []
    if find_spec("torch") and find_spec("transformers")
    else [f"src/budgetsim/learners/{name}.py" for name in ("distill", "evaluate", "finetune", "flops", "models")]
)
