"""One line in a notebook: the same numbers as the command, shown as a page, a frame or a line; wrong types are told."""

import json
from html.parser import HTMLParser

import pytest

import budgetsim
from budgetsim.errors import InputError
from made import ROOT, run_cli

STORE = ROOT / "results" / "budgetsim.duckdb"


@pytest.fixture(scope="module")
def answer():
    return budgetsim.optimize("stance", "2k", store=STORE, rates=ROOT / "rates.yaml")


def test_an_answer_in_a_line_in_a_page_and_in_a_frame(answer):
    assert repr(answer).startswith("Spend about $")
    assert "on stance, not $2,000: distill XXL to Small buys f1 58." in repr(answer)
    assert len(repr(answer)) < 200
    assert f"The plan: {answer.data['advice']['plan']['n_labels']:,} human labels" in str(answer)
    frame = answer.to_frame()
    best = frame[frame.strategy == "distill"].iloc[0]
    assert (best.n_labels, round(best.score, 1), round(best.cost_usd)) == (4715, 59.2, 2000)
    assert set(frame[frame.n_test.notna()].student) == {"encoder-lr", "tfidf-lr"}


def test_it_is_what_the_command_says(answer):
    done = run_cli("optimize", "--task", "stance", "--budget", "2000", "--json", "--rates", "rates.yaml")
    assert json.loads(done.stdout)["tasks"]["stance"] == json.loads(json.dumps(answer.data))


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_whole_and_what_others_wrote_is_text(answer):
    seen = _Tags()
    seen.feed(answer._repr_html_())
    assert seen.open == []
    assert {"table", "td", "b"} <= set(seen.tags) <= {"p", "b", "table", "caption", "tr", "th", "td"}
    assert "distill XXL to Small" in seen.text
    evil = budgetsim.Answer(title="", page=["<script>alert(1)</script>"], records=[])
    assert "<script" not in evil._repr_html_()


def test_friends_answer_too():
    front = budgetsim.frontier("nq", "$1,500", points=5, store=STORE)
    assert repr(front).startswith("Frontier of nq up to $1,500: 6 budgets")
    assert front.to_frame()["score"].is_monotonic_increasing
    point = budgetsim.simulate("stance", "distill", n_labels=1000, n_unlabeled="50k", store=STORE)
    assert repr(point).startswith("stance distill: 54.")
    assert repr(point).endswith(" in 90 % of runs)")
    table = budgetsim.curves("stance", store=STORE).to_frame()
    assert table[table.strategy == "annotate"].n_unlabeled.eq(0).all()  # what it does not take is none, as in the store
    labels = table[table.strategy == "annotate"].sort_values("n_labels")
    assert labels.score.iloc[-1] > labels.score.iloc[0]
    assert (labels.lower <= labels["median"]).all()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"task": 5, "budget": 9}, "task: found 5 .int., wanted a name"),
        ({"task": "stance", "budget": "two"}, "budget: found 'two' .str., wanted an amount"),
        ({"task": "stance", "budget": True}, "budget: found True .bool."),
        ({"task": "stance", "budget": -1}, "budget: found -1"),
        ({"task": "stance", "budget": 9, "rates": 5}, "rates: found a int, wanted a RateCard"),
        ({"task": "stance", "budget": 9, "rates": "late2026"}, "Did you mean late-2026?"),
        (
            {"task": "stance", "budget": 9, "strategies": "distill"},
            r"strategies: found the text 'distill', wanted a list",
        ),
        ({"task": "stance", "budget": 9, "compute": "moden"}, "Did you mean modern?"),
        ({"task": "stance", "budget": 9, "store": "nowhere.duckdb"}, "There is no store nowhere.duckdb"),
        ({"task": "stance", "budget": 9, "store": 7}, "store: found 7 .int."),
        ({"task": "stance", "budget": 9, "pool": [1]}, "pool: found .1. .list."),
    ],
)
def test_values_of_another_kind_are_told(asked, said):
    with pytest.raises(InputError, match=said):
        budgetsim.optimize(**{"store": STORE, **asked})


def test_every_result_has_its_dollars_under_a_card_or_a_reason():
    """The paper printed $604.40 for 1,000 labels and 100,000 texts on stance."""
    frame = budgetsim.price_points(rates=ROOT / "rates.yaml", store=STORE)
    row = frame[(frame.task == "stance") & (frame.strategy == "distill") & (frame.n_labels == 1000)]
    assert row[row.n_unlabeled == 100_000].cost_usd.iloc[0] == pytest.approx(604.4, abs=0.1)
    assert frame[frame.cost_usd.isna()].reason.notna().all()
    assert frame[frame.strategy == "annotate"].n_unlabeled.eq(0).all()


def test_the_notebook_of_the_docs_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("BUDGETSIM_STORE", raising=False)
    book = json.loads((ROOT / "examples" / "answer.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    cells = ["".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code"]
    assert len(cells) >= 6
    for cell in cells:
        exec(compile(cell, "example.ipynb", "exec"), names)  # noqa: S102 - our own file
    assert all(c["outputs"] == [] for c in book["cells"] if c["cell_type"] == "code")
