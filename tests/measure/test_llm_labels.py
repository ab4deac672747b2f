"""An LLM in a run: its stage's key, what a larger run asks, what a student learns from, and what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from budgetsim.costs.rates import parse_rates
from budgetsim.data.custom import TaskFiles, add_task
from budgetsim.data.loading import Access
from budgetsim.data.splits import SplitRule
from budgetsim.errors import EndpointError
from budgetsim.labelers.bill import Price
from budgetsim.labelers.ledger import spent_since
from budgetsim.labelers.purse import Purse, Quote
from budgetsim.labelers.server import Server
from budgetsim.measure.desks import desk_at, desk_from, desk_values, open_purse
from budgetsim.measure.estimate import ASKED_GUESS, Estimator
from budgetsim.measure.execute import execute
from budgetsim.measure.recipe import get_preset
from budgetsim.measure.resolve import Run
from budgetsim.measure.spec import RunSpec, make_spec
from budgetsim.measure.stages.llm_labels import hard_labels, knock_at_servers, plan_llm_labels, quote_requests
from budgetsim.measure.stagestore import Device, StageStore
from budgetsim.measure.workspace import Workspace
from budgetsim.store.records import StageRecord
from fake_server import Fake, serve
from made import ROOT, change_spec
from tiny import write_tiny_task

pytest.importorskip("openai")
RECIPE = get_preset("cpu", split=SplitRule(kind="files", n_dev=5))


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serve() as server:
        yield server


@pytest.fixture
def workspace(tmp_path: Path, fake: Fake) -> Workspace:
    add_task(tmp_path / "tasks", "tiny", TaskFiles(**write_tiny_task(tmp_path)), "accuracy")
    cache = tmp_path / "cache"
    desk = desk_at(cache, Server(url=fake.url), open_purse(None, None, None, 1))
    return Workspace(StageStore(cache, Device("cpu", "test")), Access(download=False), desk=desk)


def spec_of(n: int, labeler: str = "chat:fake:shots=2:owned=12", **more: object) -> RunSpec:
    values = {"task": "tiny", "strategy": "llm_annotate", "student": "tfidf-lr", "labeler": labeler, "n_llm_labels": n}
    return make_spec(recipe=RECIPE, **{**values, **more})


def key(spec: RunSpec, workspace: Workspace) -> str:
    return plan_llm_labels(Run(spec, workspace))[0].key


def test_a_larger_run_asks_for_the_new_texts_alone(workspace: Workspace, fake: Fake) -> None:
    execute(spec_of(8), workspace)
    assert fake.answered == 10 + 8
    execute(spec_of(14), workspace)
    assert fake.answered == 10 + 14
    execute(spec_of(14, strategy="annotate_plus_llm", n_labels=6), workspace)
    assert fake.answered == 10 + 14
    assert set(fake.asked.values()) == {1}


def test_what_is_quoted_is_what_is_asked_and_never_less_than_the_bill(tmp_path: Path, fake: Fake) -> None:
    add_task(tmp_path / "tasks", "tiny", TaskFiles(**write_tiny_task(tmp_path)), "accuracy")
    price = Price(usd_per_mtok_input=Decimal(2), usd_per_mtok_output=Decimal(8))
    desk = desk_at(tmp_path / "cache", Server(url=fake.url), Purse(prices={"fake": price}))
    workspace = Workspace(StageStore(tmp_path / "cache", Device("cpu", "test")), Access(download=False), desk=desk)
    specs = [spec_of(8), spec_of(14), spec_of(14, strategy="annotate_plus_llm", n_labels=6), spec_of(8, seed=1)]
    quoted = quote_requests(specs, workspace)
    (quote,) = quoted.values()
    assert list(quoted) == [("chat:fake:shots=2:owned=12", "tiny")]
    results = [execute(spec, workspace) for spec in specs]
    assert quote.n_requests == fake.answered
    paid = spent_since(tmp_path / "cache" / "answers", "")
    assert 0 < paid <= quote.usd
    assert quote_requests(specs, workspace) == {("chat:fake:shots=2:owned=12", "tiny"): Quote()}
    assert len(results) == 4


def test_without_a_price_the_requests_are_quoted_and_the_dollars_are_not(fake: Fake, workspace: Workspace) -> None:
    far = replace(workspace, desk=replace(workspace.desk, server=Server(url="http://llm.example/v1")))
    (quote,) = quote_requests([spec_of(8)], far).values()
    assert (quote.n_requests, quote.usd) == (18, None)


def test_the_stage_tells_how_good_the_labels_are_and_what_they_cost(workspace: Workspace) -> None:
    (stage,) = [s for s in execute(spec_of(8), workspace).stages if s.record.kind == "llm_label"]
    record, told = stage.record, stage.record.provenance["llm"]
    assert record.score == pytest.approx(100 * told["trial"]["accuracy"])
    assert told["trial"]["n_asked"] == 10
    assert told["trial"]["low"] <= told["trial"]["accuracy"] <= told["trial"]["high"]
    assert told["tokens"] == {"input": 18 * 40, "cached": 18 * 10, "output": 18 * 5}
    assert (told["usd"], record.tokens, record.n_llm_labels) == (0.0, 18 * 45, 8)


def test_texts_without_a_label_are_no_examples(workspace: Workspace, fake: Fake) -> None:
    fake.refuses = "w9"
    spec = spec_of(20, "chat:fake:shots=0:owned=0")
    run = Run(spec, workspace)
    (stage,) = plan_llm_labels(run)
    built = workspace.stages.get(stage.kind, stage.depends_on, lambda folder: stage.build(folder, {}), **stage.about)
    rows, labels = hard_labels(run, {stage.key: built})
    kept = [run.texts.rows[i] for i in run.text_order if "w9" not in run.texts.rows[i].source]
    assert rows == kept
    assert len(labels) == len(kept) < 20
    assert built.record.provenance["llm"]["n_refused"] == 20 - len(kept)
    assert built.record.score is None  # nobody labelled a text to try it on


def test_the_key_hashes_what_decides_the_labels(workspace: Workspace) -> None:
    """Model, options, shown rows, texts and their number; not the server, and not how many labels people gave."""
    specs = [
        spec_of(8), spec_of(9), spec_of(8, "chat:fake:shots=1:owned=12"), spec_of(8, "chat:other:shots=2:owned=12"),
        spec_of(8, "decide:fake:shots=2:owned=12"), spec_of(8, seed=1),
    ]  # fmt: skip
    keys = [key(spec, workspace) for spec in specs]
    assert len(set(keys)) == len(keys)
    elsewhere = replace(workspace.desk, server=Server(url="https://example.org/v1"))
    moved = Workspace(workspace.stages, workspace.access, desk=elsewhere)
    assert key(specs[0], moved) == keys[0]
    plus = spec_of(8, strategy="annotate_plus_llm", n_labels=6)
    assert key(plus, workspace) == keys[0]
    assert key(change_spec(plus, n_labels=9), workspace) == keys[0]


def test_a_server_is_needed_for_what_is_missing_alone(workspace: Workspace) -> None:
    execute(spec_of(8), workspace)
    gone = replace(workspace.desk, server=Server(url="http://127.0.0.1:9/v1", retries=0))
    away = Workspace(workspace.stages, workspace.access, desk=gone)
    knock_at_servers([spec_of(8)], away)
    with pytest.raises(EndpointError, match="does not answer"):
        knock_at_servers([spec_of(8), spec_of(9)], away)


def test_a_desk_reaches_a_worker_as_it_was(tmp_path: Path) -> None:
    card = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
    purse = open_purse(card, 2.5, 0.36, 2)
    server = Server(url="http://127.0.0.1:1/v1", concurrency=3, per_minute=9.0)
    desk = desk_from(desk_values(server, purse), tmp_path)
    assert (desk.server, desk.purse) == (server, purse)
    assert purse.usd_per_second == Decimal("0.36") * 2 / 3600
    assert purse.cap_usd == Decimal("2.5")


def test_the_time_of_asking_is_that_of_the_clock(workspace: Workspace) -> None:
    """A server's seconds are none of our CPU's: what was timed predicts the next pass in proportion to its texts."""
    (plan,) = plan_llm_labels(Run(spec_of(20), workspace))
    estimator = Estimator()
    assert estimator.base(plan) == pytest.approx(20 * ASKED_GUESS)
    record = StageRecord(
        stage_id="x", kind="llm_label", task="tiny", model=plan.model, examples=8, seconds=4.0, device_class="cpu",
        provenance={"cpu_seconds": 0.1, "llm": {}},
    )  # fmt: skip
    estimator.learn(record)
    assert estimator.base(plan) == pytest.approx(20 * 4.0 / 8)


def test_an_llm_may_be_the_teacher(workspace: Workspace, fake: Fake) -> None:
    """Its probabilities are the soft labels, its own score is there, and a larger run asks for the new texts alone."""
    teaching = {
        "task": "tiny", "strategy": "distill", "student": "tfidf-lr", "teacher": "chat:fake:shots=2:owned=12",
        "n_labels": 12, "recipe": RECIPE,
    }  # fmt: skip
    result = execute(make_spec(**teaching, n_unlabeled=8), workspace)
    kinds = [stage.record.kind for stage in result.stages]
    assert kinds == ["evaluate", "soft_label", "train_student", "evaluate"]
    own = result.stages[0].record
    assert own.score is not None
    assert own.model == "chat:fake:shots=2:owned=12"
    asked = fake.answered
    execute(make_spec(**teaching, n_unlabeled=14), workspace)
    assert fake.answered == asked + 6
    assert set(fake.asked.values()) == {1}
