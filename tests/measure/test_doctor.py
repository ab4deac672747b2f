"""What a machine is said to have and to lack; speeds that are measured and put on a card."""

import json
import shutil
from dataclasses import asdict, replace

import pytest

from budgetsim.costs.rates import parse_rates
from budgetsim.learners.machine import Gpu, Torch, find_torch, n_cores
from budgetsim.measure import doctor
from budgetsim.measure.doctor import Endpoint, Extra, Place, abilities, examine, knock
from budgetsim.report.doctor import doctor_page
from budgetsim.store.location import StorePaths, example_cards
from made import run_cli

WHOLE = tuple(Extra(name=name, missing=()) for name in doctor.EXTRAS)
DISK = (Place(what="store", path="s", there=True, writable=True, free_gib=50.0),)
CPU = Torch(version="2.13.0+cpu", cuda=None, threads=1, cpu_capability="AVX2", gpus=())


def gpus(n, gib):
    gpu = Gpu(name="A made GPU", memory_gib=gib, capability="9.0", bf16=True)
    return replace(CPU, version="2.13.0+cu130", cuda="13.0", gpus=(gpu,) * n)


def can(found, extras=WHOLE, programs=(), endpoint=None, places=DISK):
    return {a.what.split(" (")[0]: a.missing for a in abilities(found, extras, programs, endpoint, places)}


def test_a_processor_runs_all_but_what_needs_a_gpu_and_says_why():
    found = can(CPU, programs=("sbatch",))
    assert found["measuring in miniature"] is found["Slurm"] is found["answers and prices"] is None
    assert "build for processors" in found["training in bf16 on a GPU"]
    assert can(replace(CPU, cuda="13.0"))["training in bf16 on a GPU"] == "torch sees no GPU"


@pytest.mark.parametrize(
    ("gib", "how"), [(24.0, None), (40.0, "--way lora"), (80.0, "--way lora"), (500.0, "--way lora")]
)
def test_the_papers_teacher_fits_as_the_formula_says(gib, how):
    (ability,) = (a for a in abilities(gpus(1, gib), WHOLE, (), None, DISK) if "t5-v1_1-xxl" in a.what)
    assert (ability.missing is None) == (how is not None)
    assert ability.note == (how or "")
    assert how or f"measure --dry-run --gpu-memory {gib:g}" in ability.missing


def test_a_model_is_shared_by_two_gpus_or_more():
    assert can(gpus(2, 80.0))["a model shared by GPUs"] is None
    assert "one GPU here" in can(gpus(1, 80.0))["a model shared by GPUs"]


def test_what_is_not_installed_is_named_with_the_command():
    lacking = tuple(replace(e, missing=("torch", "peft")) if e.name == "measure" else e for e in WHOLE)
    assert can(None, lacking)["training in bf16 on a GPU"] == "pip install 'budgetsim[measure]' (torch, peft)"
    without = tuple(replace(e, missing=None) if e.name == "ray" else e for e in WHOLE)
    assert can(CPU, without)["Ray"] == "this build has no such extra"
    assert can(CPU)["Slurm"] == "no sbatch on the path"


def test_a_full_disk_stops_measuring():
    full = (replace(DISK[0], free_gib=0.2),)
    assert "free its disk" in can(CPU, places=full)["measuring in miniature"]
    assert "free its disk" in can(CPU, places=(replace(DISK[0], writable=False),))["measuring in miniature"]


def test_a_server_that_is_not_there_is_told():
    from budgetsim.labelers.server import Server

    pytest.importorskip("openai")
    endpoint = knock(Server(url="http://127.0.0.1:9/v1", retries=0, timeout=2.0))
    assert endpoint.models is None
    assert "127.0.0.1:9" in endpoint.problem
    assert can(CPU, endpoint=endpoint)["labels of an LLM"] == endpoint.problem
    there = Endpoint(url="http://127.0.0.1:1/v1", models=("a",), problem=None)
    assert can(CPU, endpoint=there)["labels of an LLM"] is None


def test_this_machine_is_told_for_people_and_programs(tmp_path):
    found = asdict(examine(StorePaths(tmp_path / "deep" / "s.duckdb")))
    text = "\n".join(p if isinstance(p, str) else "\n".join(p.lines()) for p in doctor_page(found))
    assert str(n_cores()) in text
    assert "not there yet" in text
    assert {"extras", "torch", "places", "abilities"} <= json.loads(json.dumps(found)).keys()
    assert (found["torch"] is None) == (find_torch() is None)


@pytest.mark.train
def test_a_step_is_timed_by_its_median_after_one_that_is_not_counted():
    pytest.importorskip("torch")
    from budgetsim.learners.calibrate import Bench

    class Clock(Bench):
        times = iter([0.0, 1.0, 1.0, 4.0, 4.0, 6.0])

        def clock(self):
            return next(self.times)

    ran = []
    over = Clock("cpu", iter([0.0]))  # its time was over before it began: one step is timed all the same
    assert over.step_seconds(lambda: ran.append(1)) == 1.0
    assert len(ran) == 2


@pytest.mark.train
def test_pieces_of_a_calibration_end_when_their_share_of_the_whole_is_over():
    pytest.importorskip("torch")
    from budgetsim.learners.calibrate import Bench

    ends = Bench.lasting(60.0, "cpu", print, parts=3).ends
    first, second, third, after = (next(ends) for _ in range(4))
    assert second - first == pytest.approx(20.0)
    assert third - second == pytest.approx(20.0)
    assert after == third  # whatever comes then is timed once


@pytest.mark.slow
def test_calibrating_puts_this_processor_on_a_card(tmp_path):
    pytest.importorskip("torch")
    card, kept = tmp_path / "card.yaml", tmp_path / "speeds.json"
    shutil.copy(example_cards()["paper-2023"], card)
    before = card.read_text(encoding="utf-8")
    shown = run_cli("doctor", "--calibrate", "--seconds", "5", "--onto", str(card), "--save", str(kept))
    assert shown.returncode == 0, shown.stderr
    assert "Nothing is written yet" in shown.stdout
    assert card.read_text(encoding="utf-8") == before
    done = run_cli("rates", "speeds", str(card), str(kept), "--write")
    assert done.returncode == 0, done.stderr
    use = parse_rates(card.read_text(encoding="utf-8")).cpu_utilisation
    assert {s.kind for s in use.measured} == {"t5", "ft", "lm", "encoder-lr", "tfidf-lr"}
    assert 0 < use.tflops("ft", trains=True) < 1.5 * use.peak_tflops
    assert "random weights" in use.source
