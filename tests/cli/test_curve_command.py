"""`budgetsim curve`: files of any learner in, scores at larger sizes and the labels of a target out."""

import json
import xml.etree.ElementTree as ET  # of our own picture

import jsonschema
import numpy as np
import pytest

from budgetsim.answers.curves import answer_curve
from budgetsim.data.curvefile import MOST_ROWS, parse_curve
from budgetsim.errors import InputError
from made import ROOT, run_cli

SIZES = np.array([100, 200, 400, 800, 1600, 3200])
ERRORS = 0.04 + 2.2 * SIZES**-0.42


def table(header="n_labels,accuracy", sizes=SIZES, values=1 - ERRORS, separator=",", form="{:.4f}"):
    rows = [f"{n:g}{separator}{form.format(v)}" for n, v in zip(sizes, values, strict=True)]
    return "\n".join([header.replace(",", separator), *rows]) + "\n"


PLAIN = parse_curve(table(), "plain.csv")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (table("N;Accuracy", separator=";"), "fraction"),
        ("\ufeff" + table("training size\tF1 (%)", values=100 - 100 * ERRORS, separator="\t"), "percent"),
        (table(values=100 - 100 * ERRORS), "percent"),
        (table(values=100 - 100 * ERRORS, form="{:.2f}%"), "percent"),
        (table("examples,error_rate", values=ERRORS), "fraction"),
        (table("seed,n_labels,accuracy").replace("\n", "\n7,", 6).replace("7,seed", "seed"), "fraction"),
        (table("n;score", separator=";").replace(".", ","), "fraction"),
    ],
)
def test_a_curve_is_the_same_however_it_is_written(text, unit):
    file = parse_curve(text, "a.csv")
    values = file.values if file.kind == "score" else 1 - np.array(file.values)
    np.testing.assert_allclose(file.sizes, SIZES)
    np.testing.assert_allclose(values, PLAIN.values, atol=2e-4)
    assert file.unit == unit


def test_replicates_stay_rows_and_blank_lines_go():
    file = parse_curve(table() + "\n" + table().split("\n", 1)[1], "a.csv")
    assert (len(file.values), file.n_sizes) == (12, 6)


def test_a_loss_keeps_its_own_unit():
    file = parse_curve(table("n,loss", values=100 * ERRORS), "a.csv")
    answer = answer_curve(file, at=[6400], target=30.0)
    assert (file.kind, file.unit) == ("error", "own")
    assert answer.points[0].value == pytest.approx(100 * (0.04 + 2.2 * 6400**-0.42), rel=0.05)
    assert answer.target.needed.size == pytest.approx((2.2 / 0.26) ** (1 / 0.42), rel=0.03)


def test_score_and_error_of_one_curve_give_one_answer():
    """The metric is turned over, no more: 90 % of scores and 10 % of errors take the same labels."""
    score = answer_curve(PLAIN, at=[6400], target=0.9)
    error = answer_curve(parse_curve(table("n,error", values=ERRORS), "a.csv"), at=[6400], target=0.1)
    assert error.points[0].value == pytest.approx(100 - score.points[0].value, abs=0.01)
    assert error.points[0].lower == pytest.approx(100 - score.points[0].upper, abs=0.05)
    assert error.target.needed.size == pytest.approx(score.target.needed.size, rel=0.01)
    assert score.target.needed.size == pytest.approx(
        (2.2 / 0.06) ** (1 / 0.42), rel=0.06
    )  # the median of worlds is 5 % late


def test_a_target_may_be_a_fraction_or_percent():
    one, other = answer_curve(PLAIN, target=0.9), answer_curve(PLAIN, target=90.0)
    assert one.target == other.target
    assert one.target.value == pytest.approx(90.0)


@pytest.mark.parametrize("option", ["target", "floor", "ceiling"])
def test_a_fraction_is_not_taken_for_percent_where_the_scores_of_the_file_are_percent(option):
    """As `optimize --target 0.88` refuses it: 0.75 might be three quarters or less than one in a hundred."""
    percent = parse_curve(table(values=100 - 100 * ERRORS), "a.csv")
    with pytest.raises(InputError) as error:
        answer_curve(percent, **{option: 0.75})
    assert str(error.value) == f"--{option}: found 0.75; scores of the file are percent: did you mean 75?"


def test_a_small_error_in_percent_is_percent():
    """Half a percent of errors is a target that people have; the same file as scores takes 99.5."""
    errors = answer_curve(parse_curve(table("n,error", values=100 * ERRORS), "a.csv"), target=0.5)
    scores = answer_curve(parse_curve(table(values=100 - 100 * ERRORS), "a.csv"), target=99.5)
    assert errors.target.value == pytest.approx(0.5)
    assert errors.target.needed.size == scores.target.needed.size


def test_known_limits_and_test_items_are_kept_to():
    file = parse_curve(table(values=np.append(1 - ERRORS[:-1], 1.0)), "a.csv")
    answer = answer_curve(file, at=[1e6], n_test=200, ceiling=100)
    assert all(0 <= p.lower <= p.value <= p.upper <= 100 for p in (*answer.points, *answer.picture))
    tight = answer_curve(PLAIN, at=[1e6], ceiling=0.95).points[0]
    assert tight.upper <= 95


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; wanted a header"),
        (" \n\n", "is empty"),
        ("x,y\n1,2\n", "has no column of sizes: found 'x', 'y', wanted one of n_labels"),
        ("n,y\n1,2\n", "has no column of scores: found 'n', 'y', wanted one of score, accuracy"),
        ("100,0.5\n200,0.6\n", "Name the column so in the first line"),
        ("n,n,score\n1,1,0.5\n", "several columns n; keep one"),
        ("n,score\n", "no row of positive size; wanted two or more"),
        ("n,score\n100,0.5\n100,0.6\n", "one size, 100; wanted two or more in n. Measure another size"),
        ("n,score\n100,0.5\n200,nan\n", "line 3, score: found 'nan', wanted a number from 0"),
        ("n,score\n100,0.5\n200,inf\n", "line 3, score: found 'inf'"),
        ("n,score\n100,0.5\n-200,0.6\n", "line 3, n: found '-200'"),
        ("n,score\n100,0.5\n200,-0.6\n", "line 3, score: found '-0.6'"),
        ("n,score\n100,0.5\n200,good\n", "line 3, score: found 'good'"),
        ("n,score\n100,0.5\n200,\n", "line 3, score: found nothing"),
        ("n,score\n100,0.5\n1e300,0.6\n", "line 3, n: found '1e300'"),
        ("n,score\n100,0.5\n200\n", "line 3: found 1 cells, wanted 2"),
        ("n,score\n100,0.5\n200,85\n", "found 0.5 in line 2 and 85 in line 3, fractions mixed with percent"),
        ("n,score\n100,50%\n200,85\n", "line 3: found no % sign as others have"),
        ("n,score\n100,50\n200,850\n", "line 3, score: found 850, wanted a fraction up to 1, or percent up to 100"),
        ('n,score\n100,"0.5\n', "is no CSV file"),
        ("n,score\n" + "100,0.5\n" * (MOST_ROWS + 1), "average the runs of each size"),
    ],
)
def test_files_that_cannot_be_read_say_what_was_found_wanted_and_what_to_do(text, words):
    with pytest.raises(InputError) as error:
        parse_curve(text, "a.csv")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"at": [0.0]}, "--at: found 0, wanted a size above zero"),
        ({"at": [np.nan]}, "--at: found nan"),
        ({"at": [1e300]}, "up to 1e+15"),
        ({"target": 1.0}, "--target: found 100 %, wanted below 100 %"),
        ({"target": -1.0}, "--target: found -1, wanted a fraction up to 1 or percent up to 100"),
        ({"target": np.nan}, "--target: found nan"),
        ({"target": 101.0}, "--target: found 101"),
        ({"floor": 0.9}, "--floor: found 90 %, wanted no more than the lowest value"),
        ({"ceiling": 0.5}, "--ceiling: found 50 %, wanted no less than the highest value"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, words):
    with pytest.raises(InputError) as error:
        answer_curve(PLAIN, **arguments)
    assert words in str(error.value)


def test_a_perfect_score_asks_for_the_number_of_test_items():
    file = parse_curve(table(values=np.append(1 - ERRORS[:-1], 1.0)), "a.csv")
    with pytest.raises(InputError, match="--n-test"):
        answer_curve(file)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A real curve: mean accuracy of the paper's T5-Small on FEVER, as the evidence holds it, in percent."""
    lines = (ROOT / "results" / "evidence" / "kang2023.csv").read_text(encoding="utf-8").splitlines()
    header = lines[0].split(",")
    pick = [header.index(name) for name in ("task", "strategy", "n_labels", "score")]
    rows = [[line.split(",")[i] for i in pick] for line in lines[1:]]
    kept = sorted({(float(n), float(s)) for task, strategy, n, s in rows if (task, strategy) == ("wlp", "annotate")})
    file = tmp_path_factory.mktemp("curve") / "wlp.csv"
    file.write_text(table("n_labels,f1", *zip(*kept, strict=True)), encoding="utf-8")
    return file


def test_the_command_answers_in_eighty_columns(real):
    done = run_cli("curve", str(real), "--target", "80", "--at", "5000", "--at", "20000")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "read as percent" in done.stdout
    assert "80 % " in done.stdout
    assert "Laws: " in done.stdout


def test_json_keeps_to_its_schema(real):
    for more in ((), ("--target", "99"), ("--at", "1234")):
        done = run_cli("curve", str(real), "--json", *more)
        data = json.loads(done.stdout)
        jsonschema.validate(data, json.loads((ROOT / "docs" / "reference" / "schemas" / "curve.json").read_text()))
        assert sum(law["weight"] for law in data["laws"]) == pytest.approx(1, abs=1e-3)
        assert all(p["lower"] <= p["value"] <= p["upper"] for p in data["points"])


@pytest.mark.slow
def test_pictures_go_to_the_terminal_or_a_file(real, tmp_path):
    drawn = run_cli("curve", str(real), "--plot", "-").stdout
    assert max(map(len, drawn.splitlines())) <= 80
    assert "o" in drawn.split("log10")[1]
    svg, png = tmp_path / "a.svg", tmp_path / "a.png"
    assert run_cli("curve", str(real), "--plot", str(svg)).returncode == 0
    assert ET.parse(svg).getroot().tag.endswith("svg")  # noqa: S314
    assert run_cli("curve", str(real), "--plot", str(png)).returncode == 0
    assert png.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.csv",), "There is no curve nowhere.csv"),
        (("{file}", "--metric-kind", "good"), "--metric-kind: found 'good', wanted score or error"),
        (("{file}", "--n-test", "0"), "--n-test: found 0"),
        (("{file}", "--target", "1000"), "--target: found 1000"),
        (("{file}", "--plot", "a.pdf"), "wanted a name that ends in .png or .svg"),
    ],
)
def test_bad_arguments_end_with_exit_code_2_and_no_traceback(real, arguments, words):
    done = run_cli("curve", *(a.format(file=real) for a in arguments))
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr
