"""The bench of a GPU, tried with tiny shapes on this processor: its file, its going on, and what a card makes of it."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from budgetsim.costs.speeds import measured_utilisation, parse_speeds
from made import ROOT

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("gpu_speed", ROOT / "bench" / "gpu_speed.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_speed"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gpu_speed"]


@pytest.fixture
def measure(bench, monkeypatch, capsys):
    def run(out: Path, *options: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["gpu_speed.py", "--tiny", "--device", "cpu", "--out", str(out), *options])
        bench.main()
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.slow
def test_it_goes_on_where_it_was_cut_off_and_a_card_reads_it(tmp_path, measure):
    out = tmp_path / "speeds.json"
    assert measure(out, "--seconds", "0", "--only", "t5-v1_1-small")[-1].endswith("left: the same command goes on.")
    assert not out.exists()
    first = measure(out, "--only", "t5-v1_1-small")
    held = json.loads(out.read_text())
    assert "t5-v1_1-small trains wlp x32 adamw" in held["jobs"]
    assert not [job for job in held["jobs"].values() if "failed" in job]
    assert 0 <= held["jobs"]["launches t5-v1_1-small (88, 4)"]["share_by_batches"] <= 1
    again = measure(out, "--only", "t5-v1_1-small")
    assert len(first) > len(again) == 1  # nothing was measured anew
    del held["jobs"]["peak"]
    out.write_text(json.dumps(held))
    (line,) = measure(out, "--only", "t5-v1_1-small")[:-1]
    assert "  peak: " in line
    speeds = parse_speeds(out.read_text(), out.name)
    assert {row.model for row in speeds.rows} == {"t5-v1_1-small"}
    assert measured_utilisation(speeds).device == speeds.device
    assert "tiny shapes" in speeds.source


def test_a_piece_that_fails_is_kept_as_such_and_tried_again_when_asked(tmp_path, measure, bench, monkeypatch):
    out = tmp_path / "speeds.json"
    monkeypatch.setattr(bench, "pieces", lambda b: iter([("peak", lambda: 1 / 0)]))
    measure(out)
    assert json.loads(out.read_text())["jobs"]["peak"]["failed"] == "ZeroDivisionError: division by zero"
    monkeypatch.setattr(bench, "pieces", lambda b: iter([("peak", lambda: {"tflops": 1.0})]))
    assert len(measure(out)) == 1
    measure(out, "--again-failed")
    assert json.loads(out.read_text())["peak_tflops"] == 1.0


def test_speeds_of_another_device_are_not_mixed(tmp_path, measure):
    out = tmp_path / "speeds.json"
    out.write_text(json.dumps({"device": "another", "source": "tiny shapes", "jobs": {}}))
    with pytest.raises(SystemExit, match="holds speeds of another"):
        measure(out)


def test_models_have_the_sizes_of_the_real_ones(bench):
    import torch

    from budgetsim.design.architectures import architecture

    with torch.device("meta"):
        real = bench.Bench("meta", False, 0.0, {})
        for name, known in (("t5-v1_1-small", "t5-v1_1-small"), ("ModernBERT-large", "answerdotai/ModernBERT-large")):
            model = bench.model_of(real, name, torch.float32)
            assert sum(p.numel() for p in model.parameters()) == architecture(known).n_parameters


@pytest.mark.slow
def test_every_piece_runs(tmp_path, measure):
    out = tmp_path / "speeds.json"
    measure(out)
    held = json.loads(out.read_text())
    assert not {name: job["failed"] for name, job in held["jobs"].items() if "failed" in job}
    assert {row.model for row in parse_speeds(out.read_text(), "x").rows} == {
        "t5-v1_1-small", "t5-v1_1-base", "t5-v1_1-large", "t5-v1_1-xl", "t5-v1_1-xxl", "all-MiniLM-L6-v2",
        "ModernBERT-base", "ModernBERT-large",
    }  # fmt: skip
