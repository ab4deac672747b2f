"""The command line as a user types it: results on stdout, the rest on stderr, exit codes, schemas."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from budgetsim.store.database import migrations
from budgetsim.store.location import StorePaths
from made import ROOT, run_cli
from made_runs import furnish

SCHEMAS = ROOT / "docs" / "reference" / "schemas"


def json_of(*arguments, **more):
    done = run_cli(*arguments, "--json", **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_schema(name, data):
    jsonschema.validate(data, json.loads((SCHEMAS / f"{name}.json").read_text()))


@pytest.fixture(scope="module")
def optimized():
    return json_of("optimize", "--budget", "2000", "--rates", "rates.yaml", "--pure")


def test_optimize_answers_all_six_tasks_by_its_published_schema(optimized):
    check_schema("optimize", optimized)
    six = ["fever", "multipit_gen", "multipit_id", "nq", "stance", "wlp"]
    assert sorted(optimized["tasks"]) == [*six, "wlp_typing"]  # measured here, and the card has its price


def test_every_allocation_keeps_to_the_budget_and_the_order(optimized):
    for task in optimized["tasks"].values():
        feasible = [a for a in task["allocations"] if a["feasible"]]
        scores = [a["score"] for a in feasible]
        assert scores == sorted(scores, reverse=True)
        assert all(a["cost_usd"] <= 2000.0001 for a in feasible)
        assert all(a["cost_usd"] == pytest.approx(sum(a["costs"].values()), abs=0.01) for a in feasible)
        assert sum(a["p_best"] for a in feasible) == pytest.approx(1, abs=0.001)
        assert task["allocations"][task["recommended"]]["score"] == max(scores)
        assert any(a["strategy"] == "constant" and a["cost_usd"] == 0 for a in feasible)
        assert feasible == task["allocations"][: len(feasible)]


def test_the_pool_binds_and_says_so(optimized):
    best = optimized["tasks"]["stance"]["allocations"][0]
    assert best["n_unlabeled"] == 100_000
    assert best["notes"] == ["all 100,000 texts of the pool are used: with more of them the answer may be another"]


def test_a_mix_is_never_worse_than_a_pure_corner(optimized):
    for task in optimized["tasks"].values():
        assert all(c["mix_gain"] is None or c["mix_gain"] >= -1e-6 for c in task["pure"])


def test_a_teacher_dearer_than_the_budget_is_infeasible_with_a_reason():
    task = json_of("optimize", "--budget", "3", "--task", "stance")["tasks"]["stance"]
    (distill,) = [a for a in task["allocations"] if a["strategy"] == "distill"]
    assert not distill["feasible"]
    assert distill["score"] is None
    assert "teacher $3.60" in distill["reason"]


@pytest.mark.parametrize("model", ["cached", "modern"])
def test_modelled_compute_states_its_utilisation(model):
    data = json_of("optimize", "--budget", "2000", "--task", "stance", "--compute", model)
    check_schema("optimize", data)
    compute = data["tasks"]["stance"]["compute"]
    assert compute["model"] == model
    assert compute["modelled"]
    assert compute["utilisation"]["teacher_training"] == 0.24


def test_owned_labels_are_not_paid_again():
    task = json_of("optimize", "--budget", "300", "--task", "stance", "--owned-labels", "5000")["tasks"]["stance"]
    best = task["allocations"][0]
    assert best["n_labels"] >= 5000
    assert best["costs"]["labels"] == pytest.approx(0.364 * (best["n_labels"] - 5000), abs=0.01)


def test_simulate_one_point_by_its_schema():
    data = json_of(
        "simulate", "--task", "stance", "--strategy", "distill", "--n-labels", "1000", "--n-unlabeled", "100000"
    )
    check_schema("simulate", data)
    (point,) = data["points"]
    assert point["kind"] == "observed"
    assert point["score"] == pytest.approx(56.3, abs=1)
    assert point["cost_usd"] == pytest.approx(604.4, abs=0.1)  # as the paper printed it


def test_simulate_a_file_keeps_its_order_and_fills_in_the_papers_models(tmp_path):
    file = tmp_path / "points.csv"
    file.write_text(
        "n_labels,strategy,task,n_unlabeled\n5000,annotate,fever,\n1000,distill,nq,100000\n,constant,stance,\n10,annotate,wlp,0\n"
    )
    data = json_of("simulate", "--points", str(file))
    check_schema("simulate", data)
    asked = [(p["task"], p["strategy"], p["student"], p["teacher"]) for p in data["points"]]
    assert asked == [
        ("fever", "annotate", "t5-v1_1-small", None),
        ("nq", "distill", "t5-v1_1-small", "t5-v1_1-xxl"),
        ("stance", "constant", None, None),
        ("wlp", "annotate", "t5-v1_1-small", None),
    ]
    assert data["points"][2]["score"] == 45.5


def test_points_without_evidence_say_so_and_the_others_are_answered(tmp_path):
    file = tmp_path / "points.csv"
    file.write_text(
        "task,strategy,student,n_labels\nwlp,annotate,t5-v1_1-base,2000\nfever,annotate,t5-v1_1-base,2000\n"
    )
    done = run_cli("simulate", "--points", str(file), "--json")
    assert done.returncode == 0
    known, unknown = json.loads(done.stdout)["points"]
    assert known["score"] > 60
    assert unknown["score"] is None
    assert "no fitted annotate (t5-v1_1-base) on fever" in unknown["reason"]
    assert "No answer" in done.stderr


def test_frontier_by_its_schema():
    data = json_of("frontier", "--task", "stance", "--max-budget", "3000")
    check_schema("frontier", data)
    regions = data["tasks"]["stance"]["regions"]
    assert regions[0]["label"] == "constant"
    assert regions[-1]["label"].startswith("distill")


def test_fit_shows_how_good_it_is():
    (surface, *_) = json_of("fit", "--task", "stance")["tasks"]["stance"]["surfaces"]
    diagnostics = surface["diagnostics"]
    assert diagnostics["forms"]
    assert diagnostics["loo_rmse_points"] > 0
    assert "90" in diagnostics["checked"]["coverage"]


@pytest.mark.slow
def test_a_stale_fit_is_made_again_and_a_store_elsewhere_works(tmp_path):
    """From an empty folder and an empty home: the evidence, card and fits of the package are enough."""
    store = tmp_path / "mine.duckdb"
    done = run_cli("optimize", "--budget", "100", "--task", "fever", "--json", store=store, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Made the store" in done.stderr
    assert "fitting now" not in done.stderr
    extra = tmp_path / "extra.csv"
    extra.write_text("record_id,task,strategy,student,n_labels,metric,score\n" + "".join(
        f"x{n},fever,annotate,t5-v1_1-small,{n},accuracy,{s}\n" for n, s in ((100, 50), (1000, 55), (5000, 66), (9000, 70))
    ))  # fmt: skip
    assert run_cli("store", "import", str(extra), store=store, cwd=tmp_path).returncode == 0
    done = run_cli("optimize", "--budget", "500", "--evidence", "published-extra", "--json", store=store, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "fitting now" in done.stderr
    assert run_cli("fit", "--evidence", "published-extra", store=store, cwd=tmp_path).returncode == 0
    done = run_cli("optimize", "--budget", "500", "--evidence", "published-extra", store=store, cwd=tmp_path)
    assert "fitting now" not in done.stderr
    assert "published-extra" in done.stdout


def test_sql_on_the_store():
    data = json_of("store", "query", "SELECT count(*) AS n FROM points WHERE source = 'published:kang2023'")
    assert data["columns"] == ["n"]
    assert data["rows"] == [[203]]
    done = run_cli(
        "store",
        "query",
        "--csv",
        "SELECT task, count(*) AS n FROM points WHERE source = 'published:kang2023' GROUP BY ALL ORDER BY ALL LIMIT 2",
    )
    assert done.stdout == "task,n\nfever,15\nmultipit_gen,15\n"


def test_nothing_is_coloured_in_a_pipe():
    assert "\x1b" not in run_cli("optimize", "--budget", "100").stdout


def test_asking_for_a_strategy_that_does_not_fit_is_infeasible():
    done = run_cli("optimize", "--budget", "2", "--task", "stance", "--strategy", "distill")
    assert done.returncode == 3
    assert "infeasible" in done.stdout
    assert "Raise --budget" in done.stderr


def test_a_store_that_somebody_holds_can_be_read(tmp_path):
    store = tmp_path / "s.duckdb"
    assert run_cli("store", "rebuild", store=store).returncode == 0
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb, sys; c = duckdb.connect({str(store)!r}); print('open', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        done = run_cli("store", "query", "SELECT 1", store=store)
    finally:
        holder.communicate("")
    assert done.returncode == 0
    assert done.stdout.split() == ["1", "-", "1"]


def test_interrupting_ends_with_130(tmp_path):
    store = tmp_path / "s.duckdb"
    furnish(StorePaths(store))
    environment = {**os.environ, "BUDGETSIM_STORE": str(store)}
    command = [str(Path(sys.executable).with_name("budgetsim")), "fit", "--force"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )  # fmt: skip
    assert process.stderr is not None
    while "fitting" not in (line := process.stderr.readline()):
        assert line, "it ended before it began to fit"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130


def test_help_names_the_exit_codes_and_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['budgetsim', '--help']\n"
        "from budgetsim_cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = [m for m in ('numpy', 'duckdb', 'scipy', 'torch', 'rich', 'pandas') if m in sys.modules]\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "130 interrupted" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "command", [["optimize", "--budget", "2000"], ["simulate", "--task", "nq", "--strategy", "constant"]]
)
def test_answers_from_fresh_fits_load_neither_torch_nor_scipy(command):
    code = (
        f"import sys; sys.argv = {['budgetsim', *command]!r}\n"
        "from budgetsim_cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = [m for m in ('scipy', 'torch', 'pandas', 'transformers') if m in sys.modules]\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_same_question_twice_gives_the_same_answer(optimized):
    assert json_of("optimize", "--budget", "2000", "--rates", "rates.yaml", "--pure") == optimized


def test_version():
    done = run_cli("--version")
    assert done.stdout.startswith("budgetsim ")
    assert f"store schema {migrations()[-1][0]}" in done.stdout


def test_next_by_its_schema():
    data = json_of("next", "--task", "wlp", "--top", "4", "--budget", "500-4000")
    check_schema("next", data)
    task = data["tasks"]["wlp"]
    assert [round(n["budget_usd"]) for n in task["now"]] == [500, 841, 1414, 2378, 4000]
    assert len(task["runs"]) == 4
    assert task["measure"] == (task["n_worth"] > 0)
    assert all(r["worth"] for r in task["runs"][: task["n_worth"]])


def test_next_without_money_for_any_run_says_so():
    done = run_cli("next", "--task", "fever", "--budget", "0.01")
    assert done.returncode == 3
    assert "pays for no run on fever" in done.stderr
