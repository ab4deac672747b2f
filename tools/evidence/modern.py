"""Tables of other people's learning curves, in the columns of `store import`: `results/evidence/*.csv` anew.

    python tools/evidence/modern.py FOLDER   # with the tables that results/evidence/README.md names

Facts only: every row names the file of the authors' repository it was read off and the paper to cite. A task's name
begins with its table's, as a task of the same name elsewhere has other splits.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path

OUT = Path(__file__).parents[2] / "results" / "evidence"
COLUMNS = ["record_id", "set", "task", "strategy", "student", "teacher", "n_labels", "n_unlabeled", "seed", "metric",
           "score", "scale", "n_test", "panel", "provenance"]  # fmt: skip
CLASSES = {"ag_news": 4, "SentEval-CR": 2, "cr": 2, "sst5": 5, "sst-5": 5}  # to count labels a class
ONE_NAME = {"cr": "SentEval-CR", "sst-5": "sst5"}  # of one task, under two methods
METRIC = {"acc": "accuracy", "f1-macro": "macro_f1", "f1_macro": "macro_f1", "accuracy_balanced": "balanced_accuracy"}
Row = dict[str, object]


def lescao2021(folder: Path) -> Iterator[Row]:
    """RoBERTa with a head or a prompt; fractions."""
    for r in _read(folder / "prompt_worth_superglue.csv"):
        metric = METRIC.get(r["metric"], r["metric"])
        prompt = f":pattern={float(r['pattern']):g}:{r['verbalizer']}" if r["pattern"] else ""
        yield {"set": f"roberta-large-{metric}", "task": f"superglue-{r['task']}", "strategy": "annotate",
               "student": f"roberta-large:{r['method']}{prompt}", "n_labels": r["n_labels"], "seed": r["seed"],
               "metric": metric, "score": r["score"], "scale": "fraction",
               "panel": "exported_results", "provenance": "arXiv 2103.08493"}  # fmt: skip


def tunstall2022(folder: Path) -> Iterator[Row]:
    """SetFit and its rivals by labels a class, then its distillation; percent. Accuracy alone: see the README."""
    for r in _read(folder / "setfit_fewshot.csv"):
        full = r["labels_per_class"] in ("", "full")
        if r["metric"] not in ("acc", "accuracy"):
            continue
        n = "" if full else int(float(r["labels_per_class"])) * CLASSES[r["task"]]
        yield {"set": f"{_family(r['model'])}-accuracy", "task": f"setfit-{ONE_NAME.get(r['task'], r['task'])}",
               "strategy": "annotate", "student": f"{r['method']}:{r['model']}", "n_labels": n, "seed": r["seed"],
               "metric": "accuracy", "score": r["score"], "scale": "percent",
               "panel": "final_results", "provenance": "arXiv 2209.11055"}  # fmt: skip
    for r in _read(folder / "setfit_distillation.csv"):
        n = int(float(r["teacher_labels_per_class"])) * CLASSES[r["task"]]
        teaches = r["role"] == "teacher"
        start = "setfit" if r["role"].endswith("setfit") else "transformers"
        yield {"set": "minilm-3-layers-accuracy", "task": f"setfit-{r['task']}",
               "strategy": "annotate" if teaches else "distill",
               "student": "setfit:paraphrase-mpnet-base-v2" if teaches else f"{start}:minilm-3-layers",
               "teacher": "" if teaches else "setfit:paraphrase-mpnet-base-v2", "n_labels": n,
               "n_unlabeled": "" if teaches else int(float(r["n_unlabeled"])), "seed": r["seed"],
               "metric": "accuracy", "score": r["score"], "scale": "percent",
               "panel": "final_results/distillation", "provenance": "arXiv 2209.11055"}  # fmt: skip


def laurer2024(folder: Path) -> Iterator[Row]:
    """Classical learners, DeBERTa and DeBERTa first trained on NLI; fractions, mean of three draws."""
    for r in _read(folder / "less_annotating_nli.csv"):
        metric = METRIC.get(r["metric"], r["metric"])
        yield {"set": f"{_family(r['model'])}-{metric}", "task": f"nli-{r['task']}", "strategy": "annotate",
               "student": r["model"].lower().replace("_", "-"), "n_labels": r["n_labels"], "metric": metric,
               "score": r["score_mean"], "scale": "fraction",
               "panel": "appendix D4", "provenance": "Political Analysis 2024"}  # fmt: skip


def ziems2024(folder: Path) -> Iterator[Row]:
    """LLMs without an example, so 0 labels; fractions."""
    for r in _read(folder / "llm_zero_shot_labels_css.csv"):
        for metric in ("accuracy", "macro_f1"):
            yield {"set": f"{_family(r['model'])}-{metric}", "task": f"css-{r['task']}", "strategy": "annotate",
                   "student": r["model"], "n_labels": 0, "metric": metric, "score": r[metric], "scale": "fraction",
                   "n_test": int(float(r["n_items"])), "panel": "css_data",
                   "provenance": "arXiv 2305.03514"}  # fmt: skip


def yang2020(folder: Path) -> Iterator[Row]:
    """TextBrewer's small students of BERT-base, with and without it; percent. Their labels are not counted there."""
    for r in _read(folder / "student_sizes_readme_tables.csv"):
        if r["source"] != "textbrewer":
            continue
        distilled = r["mode"] == "distilled"
        more = "+augmented" if r["augmented_unlabelled_data"] == "yes" else ""
        yield {"set": f"bert-base-{r['metric']}", "task": f"textbrewer-{r['task']}",
               "strategy": "distill" if distilled else "annotate", "student": r["model"] + more,
               "teacher": "BERT-base-cased" if distilled else "", "metric": r["metric"], "score": r["score"],
               "scale": "percent", "panel": "README", "provenance": "arXiv 2002.12620"}  # fmt: skip


def _family(model: str) -> str:
    """The model's family, as far as fits may be shared."""
    for part, family in (("tfidf", "tfidf"), ("embeddings", "embeddings"), ("deberta-v3-nli", "deberta-nli"),
                         ("deberta", "deberta"), ("flan", "flan-t5"), ("roberta-large-v1", "sentence-roberta-large"),
                         ("roberta-large", "roberta-large"), ("distilbert", "distilbert"), ("mpnet", "mpnet"),
                         ("MiniLM", "minilm"), ("albert", "albert-xxlarge"), ("perfect", "perfect"),
                         ("chatgpt", "gpt-3.5-turbo")):  # fmt: skip
        if part in model:
            return family
    return "gpt-3"


def _read(place: Path) -> list[dict[str, str]]:
    with place.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _round(score: object) -> str:
    return f"{float(str(score)):.6g}"


def main(folder: Path) -> None:
    """Write each table; a line on stdout says how many rows it has."""
    for table in (lescao2021, tunstall2022, laurer2024, ziems2024, yang2020):
        rows = list(table(folder))
        with (OUT / f"{table.__name__}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            for k, row in enumerate(rows, 1):
                name = re.sub(r"[^a-z0-9.+-]+", "-", str(row["set"]).lower())
                own = {"record_id": f"{table.__name__}-{k:04}", "set": name, "score": _round(row["score"])}
                writer.writerow({**row, **own})
        print(f"{table.__name__}: {len(rows)} rows")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
