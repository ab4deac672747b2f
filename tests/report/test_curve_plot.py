import numpy as np
import pytest

from budgetsim.answers.evidence import load_evidence, stored_fit
from budgetsim.errors import InputError
from budgetsim.report.plot import curves_of, save_plot, text_plot
from budgetsim.store.location import StorePaths
from made import ROOT

EVIDENCE = load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), "published")
CURVES = curves_of(stored_fit(EVIDENCE, "stance"), EVIDENCE.rows("stance"))


def test_a_surface_is_cut_where_most_rows_lie():
    labels = [c.label for c in CURVES if c.label.startswith("distill")]
    assert [label.split("n_unlabeled ")[1] for label in labels] == ["10,000", "100,000"]


def test_curves_lie_within_their_intervals_and_hold_their_rows():
    for curve in CURVES:
        assert (curve.lower <= curve.mean).all()
        assert (curve.mean <= curve.upper).all()
    annotate = next(c for c in CURVES if c.label.startswith("annotate (t5"))
    assert len(annotate.points_n) == 18
    assert np.interp(10_000, annotate.n, annotate.mean) == pytest.approx(50.2, abs=1.5)


def test_a_text_plot_is_plain_text_with_rows_and_curve():
    lines = text_plot(CURVES[0], "f1")
    assert CURVES[0].label in lines[0]
    assert all(max(map(len, line.split("\x1b"))) == len(line) for line in lines)
    drawn = "\n".join(lines)
    assert "o" in drawn
    assert "+" in drawn


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml")])
def test_a_picture_is_written(tmp_path, name, start):
    file = save_plot(CURVES, "f1", tmp_path / name)
    assert file.read_bytes().startswith(start)


def test_another_format_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"wanted a name that ends in \.png or \.svg"):
        save_plot(CURVES, "f1", tmp_path / "a.pdf")
    with pytest.raises(InputError, match="measure another size"):
        save_plot([], "f1", tmp_path / "a.png")
