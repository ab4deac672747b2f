"""Bad cards, files, points and arguments: what the user sees, and the exit code.

`python tests/bad_input.py` prints the table; `test_bad_input.py` checks every row of it.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from made import ROOT, run_cli

CARD = (ROOT / "rates.yaml").read_text(encoding="utf-8")
TABLE = (ROOT / "results" / "evidence" / "kang2023.csv").read_text(encoding="utf-8")
OPTIMIZE = ("optimize", "--budget", "2000", "--task", "stance")
TARGET = ("optimize", "--task", "stance", "--target")
SENSITIVITY = ("sensitivity", "--task", "stance", "--budget")
NEXT = ("next", "--task", "stance", "--budget")


@dataclass(frozen=True)
class Case:
    """A command with `{file}` for the bad file, what it holds, and what must come of it."""

    name: str
    command: tuple[str, ...]
    exit_code: int
    message: str  # part of what stands on stderr
    text: str | bytes | None = None  # of the file; None: there is no file
    suffix: str = ".yaml"


def card(name: str, old: str, new: str, message: str, *, command: tuple[str, ...] = OPTIMIZE) -> Case:
    assert old in CARD, old
    return Case(name, (*command, "--rates", "{file}"), 2, message, CARD.replace(old, new, 1))


def points(name: str, text: str, message: str, exit_code: int = 2) -> Case:
    return Case(name, ("simulate", "--points", "{file}"), exit_code, message, text, ".csv")


def table(name: str, text: str | bytes, message: str) -> Case:
    return Case(name, ("store", "import", "{file}"), 2, message, text, ".csv")


CASES = [
    card("negative price", "usd_per_label: 0.364", "usd_per_label: -0.364", "line 14, labels.stance.usd_per_label: found -0.364, wanted 0 or more"),
    card("NaN price", "usd_per_hour: 1.875", "usd_per_hour: .nan", "gpu.usd_per_hour: found nan, wanted a finite number"),
    card("infinite price", "usd_per_hour: 1.875", "usd_per_hour: .inf", "gpu.usd_per_hour: found inf, wanted a finite number"),
    card("quoted price", "usd_per_label: 0.364", "usd_per_label: '0.364'", "found '0.364', wanted a number, without quotes"),
    card("price that is text", "usd_per_label: 0.364", "usd_per_label: cheap", "found 'cheap', wanted a number"),
    card("price that is yes", "usd_per_label: 0.364", "usd_per_label: true", "found True, wanted a number"),
    card("unknown key", "count: 1", "cuont: 1", "line 42, gpu.cuont: found an unknown key, wanted one of as_of, count"),
    card("unknown section", "pools:", "pool:", "pool: found an unknown key, wanted one of about, cpu, cpu_utilisation, currency"),
    card("duplicate key", "  count: 1\n", "  count: 1\n  count: 2\n", "line 43, count: the key stands twice"),
    card("price without source", '  scope: per device\n  price_type: not stated\n  source: "ACL 2023 poster of arXiv 2305.01645: dollars per A100-hour"\n', "", "gpu.source: found nothing, wanted a value"),
    card("price without date", "    as_of: 2023-07\n  stance:", "  stance:", "labels.wlp.as_of: found nothing, wanted a value"),
    card("date that is none", "as_of: 2023-04-11", "as_of: last spring", "llm.as_of: found 'last spring', wanted the day"),
    card("no labels at all", CARD[CARD.index("labels:"):CARD.index("gpu:")], "labels: {}\n", "labels: found {}, wanted at least one entry"),
    card("asked task without price", "  stance:\n    usd_per_label: 0.364", "  stanse:\n    usd_per_label: 0.364", "no label price for stance", command=(*OPTIMIZE, "--strategy", "annotate")),
    card("asked strategy without price", CARD[CARD.index("llm:"):CARD.index("pools:")], "", "no price for an LLM; add an `llm:`", command=(*OPTIMIZE, "--strategy", "llm_annotate")),
    card("distilling without a device", CARD[CARD.index("gpu:"):CARD.index("cpu:")], "", "no price for a gpu; add a `gpu:`", command=(*OPTIMIZE, "--strategy", "distill")),
    card("other currency", "currency: USD", "currency: EUR", "currency: found 'EUR', wanted 'USD'"),
    card("half a pool", "size: 100000", "size: 0.5", "pools.default.size: found 0.5, wanted a whole number"),
    card("utilisation above one", "teacher_training: 0.24", "teacher_training: 24", "utilisation.teacher_training: found 24, wanted 1 or less"),
    card("not YAML", "gpu:\n", "gpu: [\n", "not YAML"),
    Case("empty card", (*OPTIMIZE, "--rates", "{file}"), 2, "found nothing, wanted keys and values", ""),
    Case("card in Latin-1", (*OPTIMIZE, "--rates", "{file}"), 2, "is not UTF-8", "name: caf\xe9".encode("latin-1")),
    Case("card that is not there", (*OPTIMIZE, "--rates", "{file}"), 2, "There is no rate card"),
    Case("card that is a folder", (*OPTIMIZE, "--rates", "."), 2, "is a folder"),
    Case("negative budget", ("optimize", "--budget", "-1"), 2, "--budget: found -1, wanted a finite number of zero or more"),
    Case("budget that is no number", ("optimize", "--budget", "2q"), 2, "--budget"),
    Case("NaN budget", ("optimize", "--budget", "nan"), 2, "--budget: found nan"),
    Case("no budget", ("optimize",), 2, "--budget"),
    Case("budget of nothing", ("optimize", "--budget", "0", "--task", "nq"), 3, "$0.00 buys no trained model on nq"),
    Case("unknown task", ("optimize", "--budget", "9", "--task", "stanse"), 4, "no evidence on task 'stanse'. Did you mean stance?"),
    Case("unknown strategy", (*OPTIMIZE, "--strategy", "destill"), 2, "--strategy: found 'destill', wanted annotate"),
    Case("unknown compute model", (*OPTIMIZE, "--compute", "free"), 2, "--compute: found 'free', wanted published, cached, modern"),
    Case("unknown student", (*OPTIMIZE, "--student", "bert"), 4, "no fitted student bert"),
    Case("unknown evidence", (*OPTIMIZE, "--evidence", "mine"), 4, "No evidence set is called 'mine'"),
    Case("negative owned labels", (*OPTIMIZE, "--owned-labels", "-5"), 2, "--owned-labels"),
    Case("unknown option", (*OPTIMIZE, "--bugdet", "3"), 2, "No such option"),
    Case("unknown command", ("optimise",), 2, "No such command"),
    Case("point without strategy", ("simulate", "--task", "nq"), 2, "no strategy; give one of annotate"),
    Case("point without its input", ("simulate", "--task", "nq", "--strategy", "distill", "--n-labels", "9"), 2, "n_unlabeled: distill needs it"),
    Case("point with a stray input", ("simulate", "--task", "nq", "--strategy", "annotate", "--n-labels", "9", "--n-unlabeled", "9"), 2, "annotate has no such input"),
    points("points without strategy", "task,n_labels\nnq,5\n", "line 1: found no column strategy"),
    points("points with unknown column", "task,strategy,labels\nnq,annotate,5\n", "line 1: found unknown or repeated column 'labels'"),
    points("negative count", "task,strategy,n_labels\nnq,annotate,5\nnq,annotate,-5\n", "line 3, n_labels: found '-5', wanted a whole number"),
    points("half a label", "task,strategy,n_labels\nnq,annotate,2.5\n", "line 2, n_labels: found '2.5', wanted a whole number"),
    points("count that is text", "task,strategy,n_labels\nnq,annotate,many\n", "line 2, n_labels: found 'many'"),
    points("row too long", "task,strategy,n_labels\nnq,annotate,5,6\n", "line 2: found another number of cells"),
    points("no points", "task,strategy,n_labels\n", "no points below the header"),
    points("points on nothing known", "task,strategy,n_labels\nmine,annotate,5\n", "no evidence on task 'mine'", 4),
    table("score above 100", TABLE.replace(",50,,printed", ",500,,printed", 1), "line 2, score: found '500', wanted a number from 0 to 100"),
    table("table without ids", TABLE.replace("record_id,", "id,", 1), "lacks record_id"),
    table("copy of nothing", TABLE.replace("kang2023-194,kang2023-006", "kang2023-194,gone", 1), "same_as gone, which is not in the table"),
    table("table in UTF-16", TABLE.encode("utf-16"), "is not UTF-8"),
    Case("table that is not there", ("store", "import", "{file}"), 2, "There is no file", suffix=".csv"),
    Case("query that writes", ("store", "query", "DELETE FROM runs"), 2, "The store refused the query"),
    Case("query of a file", ("store", "query", "SELECT * FROM read_csv('rates.yaml')"), 2, "The store refused the query"),
    Case("query that is no SQL", ("store", "query", "SELEKT"), 2, "The store refused the query"),
    Case("empty query", ("store", "query", ""), 2, "The query is empty"),
    Case("store in no folder", ("store", "path", "--store", "/proc/nowhere/s.duckdb", "--json"), 0, ""),
    Case("store that cannot be made", ("store", "rebuild", "--store", "/proc/nowhere/s.duckdb"), 1, "cannot be written"),
    card("price per device of eight", "  count: 1\n", "  count: 8\n", "count 1 with scope `per device`"),
    card("price out of this world", "usd_per_hour: 1.875", "usd_per_hour: 1e300", "wanted 1000000000 or less"),
    Case("card that is nested without end", (*OPTIMIZE, "--rates", "{file}"), 2, "nested deeper than 20 levels", "[" * 3000),
    Case("billion laughs", (*OPTIMIZE, "--rates", "{file}"), 2, "an anchor or alias", "a: &a [x, x]\nb: [*a, *a]\n" + CARD),
    Case("card that merges itself", (*OPTIMIZE, "--rates", "{file}"), 2, "an anchor or alias", "x: &x\n  <<: *x\n" + CARD),
    card("card of a tag", "usd_per_hour: 1.875", "usd_per_hour: !!float 'x'", "line 41: not YAML (a tag (!); leave it out)"),
    card("price of 30 digits", "usd_per_hour: 1.875", f"usd_per_hour: {'9' * 30}", "wanted 1000000000 or less"),
    card("price of 5000 digits", "usd_per_hour: 1.875", f"usd_per_hour: {'9' * 5000}", "not YAML"),
    card("price beyond floats", "usd_per_hour: 1.875", "usd_per_hour: 1e400", "found inf, wanted a finite number"),
    card("pool in hex", "size: 100000", "size: 0xffff", "found 65535, wanted a number in decimal digits"),
    card("schema version that is yes", "schema_version: 1", "schema_version: true", "schema_version: found True, wanted a number"),
    card("name that nobody sees", "name: paper-2023", 'name: "\u200b"', "name: found '\\u200b', wanted a name that can be read"),
    card("prices of the future", "as_of: 2023-04-11", "as_of: 2999-04-11", "found 2999-04-11, wanted a day that is past"),
    card("31 February", "as_of: 2023-04-11", "as_of: 2023-02-31", "day is out of range"),
    Case("card of half a megabyte", (*OPTIMIZE, "--rates", "{file}"), 2, "is larger than 256,000 bytes", CARD + "#" * 500_000),
    Case("card that is a device", (*OPTIMIZE, "--rates", "/dev/zero"), 2, "is a pipe or a device"),
    points("a million points", "task,strategy,n_labels\n" + "nq,annotate,5\n" * 100_001, "more than 100,000 points"),
    points("count in hex", "task,strategy,n_labels\nnq,annotate,0x10\n", "found '0x10', wanted a whole number"),
    points("count that is a half sign", "task,strategy,n_labels\nnq,annotate,½\n", "found '½', wanted a whole number"),
    points("task that clears the screen", "task,strategy,n_labels\n\x1b[2Jnq,annotate,5\n", "found '\\x1b[2Jnq', wanted a name"),
    points("repeated column", "task,strategy,n_labels,n_labels\nnq,annotate,5,6\n", "repeated column 'n_labels'"),
    points("count with an underscore", "task,strategy,n_labels\nnq,annotate,1_000\n", "found '1_000'"),
    Case("card over a card", ("rates", "init", "rates.yaml"), 2, "rates.yaml exists"),
    Case("neither budget nor target", ("optimize", "--task", "stance"), 2, "Give --budget, the US dollars to spend, or --target"),
    Case("target above 100", (*TARGET, "101"), 2, "--target: found 101, wanted a score above 0 and up to 100 percent"),
    Case("NaN target", (*TARGET, "nan"), 2, "--target: found nan"),
    Case("chance in percent", (*TARGET, "58", "--chance", "90"), 2, "--chance: found 90, wanted a share between 0 and 1"),
    Case("chance without target", (*OPTIMIZE, "--chance", "0.9"), 2, "--chance belongs to a --target"),
    Case("target out of reach", (*TARGET, "99"), 3, "No plan reaches 99 with a chance of 90 % on stance"),
    Case("target with a risk but no budget", (*TARGET, "58", "--risk", "0.1"), 2, "a --target alone has its --chance"),
    Case("target of pure strategies", (*TARGET, "58", "--pure"), 2, "Add --budget, or leave them out"),
    Case("budget beyond all money", ("optimize", "--budget", "1e308"), 2, "--budget: found 1e+308, wanted a finite number of zero or more, up to 1e+12"),
    Case("risk of a single world", (*OPTIMIZE, "--risk", "0.999"), 2, "--risk: found 0.999, wanted a share between 0.01 and 0.99"),
    Case("risk in percent", (*OPTIMIZE, "--risk", "10"), 2, "--risk: found 10, wanted a share between 0.01 and 0.99"),
    Case("NaN risk", (*OPTIMIZE, "--risk", "nan"), 2, "--risk: found nan"),
    Case("two aims", (*OPTIMIZE, "--risk", "0.1", "--choose", "regret"), 2, "--risk and --choose regret were both given"),
    Case("unknown aim", (*OPTIMIZE, "--choose", "luck"), 2, "--choose: found 'luck', wanted mean or regret"),
    Case("deadline without pace", (*OPTIMIZE, "--deadline", "5"), 2, "add --labels-per-day N"),
    Case("deadline that is over", (*OPTIMIZE, "--deadline", "-2", "--labels-per-day", "10"), 2, "--deadline: found -2, wanted a finite number above zero"),
    Case("people who do not label", (*OPTIMIZE, "--labels-per-day", "0"), 2, "--labels-per-day: found 0, wanted a finite number above zero"),
    Case("no time for anything", (*OPTIMIZE, "--deadline", "1e-9", "--labels-per-day", "5"), 3, "buys no trained model on stance"),
    Case("GPUs without pace", (*OPTIMIZE, "--gpus", "2"), 2, "--gpus needs to know how many labels people give in a day"),
    Case("no GPU", (*OPTIMIZE, "--labels-per-day", "9", "--gpus", "0"), 2, "--gpus"),
    Case("owned teacher without labels", (*OPTIMIZE, "--owned-teacher", "xxl"), 2, "--owned-teacher: found 'xxl', wanted MODEL:N"),
    Case("owned teacher nobody fitted", (*OPTIMIZE, "--owned-teacher", "bert:500"), 4, "has no fitted teacher bert on stance"),
    Case("negative pool", (*OPTIMIZE, "--pool", "-1"), 2, "--pool"),
    Case("prices of an unknown task", ("store", "price", "--task", "stanse"), 4, "The store has no result on task 'stanse'. Did you mean stance?"),
    Case("store that is a folder", (*OPTIMIZE, "--store", "docs"), 1, "docs is a folder, wanted a DuckDB file; name one in it with --store"),
    Case("no labels to be had", (*OPTIMIZE, "--max-labels", "0", "--strategy", "annotate"), 3, "buys no trained model on stance"),
    Case("example card nobody made", ("optimize", "--budget", "9", "--rates", "late-2027"), 2, "name a file, or an example: paper-2023, cheap-2026"),
    Case("card made from nowhere", ("rates", "init", "{file}", "--from", "nowhere"), 2, "--from: found 'nowhere', wanted paper-2023"),
    Case("sensitivity without budget", ("sensitivity", "--task", "stance"), 2, "--budget"),
    Case("sensitivity of nothing", (*SENSITIVITY, "0"), 2, "--budget: found 0, wanted a finite number above zero"),
    Case("accuracy above all", (*SENSITIVITY, "500", "--llm-accuracy", "120"), 2, "--llm-accuracy: found 120, wanted percent from 1 to 100"),
    Case("NaN accuracy", (*SENSITIVITY, "500", "--llm-accuracy", "nan"), 2, "--llm-accuracy: found nan"),
    Case("plateau below all", (*SENSITIVITY, "500", "--teacher-plateau", "-5"), 2, "--teacher-plateau: found -5, wanted percent from 1 to 100"),
    Case("sensitivity of a budget that buys nothing", (*SENSITIVITY, "0.01"), 3, "$0.01 buys no trained model on stance; the answer says why. Raise --budget, or loosen"),
    Case("frontier that ends before it begins", ("frontier", "--task", "stance", "--max-budget", "0.01"), 3, "Raise --max-budget, or loosen pools, bounds and deadline"),
    Case("card beside that is no card", (*SENSITIVITY, "500", "--card", "README.md"), 2, "README.md, line 3: not YAML"),
    Case("card beside that is a folder", (*SENSITIVITY, "500", "--card", "."), 2, "is a folder"),
    Case("range upside down", (*NEXT, "900-300"), 2, "--budget: found '900-300', wanted the lower end of the range first"),
    Case("range without end", (*NEXT, "100-"), 2, "wanted US dollars such as 2000, or a range such as 500-4000"),
    Case("range to NaN", (*NEXT, "5-nan"), 2, "--budget: found nan, wanted a finite number above zero"),
    Case("deadline of a frontier without pace", ("frontier", "--task", "stance", "--deadline", "5"), 2, "--deadline needs to know how many labels people give in a day"),
    Case("teacher of many tasks on a frontier", ("frontier", "--owned-teacher", "t5-v1_1-xxl:500"), 2, "--owned-teacher: a teacher is tuned for one task"),
    Case("pace that is none in a sensitivity", (*SENSITIVITY, "500", "--labels-per-day", "nan"), 2, "--labels-per-day: found nan"),
    Case("sensitivity to an owned teacher nobody fitted", (*SENSITIVITY, "500", "--owned-teacher", "bert:500"), 4, "has no fitted teacher bert on stance"),
    Case("negative labels for a next run", (*NEXT, "500", "--max-labels", "-1"), 2, "--max-labels"),
    Case("no time for a next run", (*NEXT, "500", "--deadline", "1e-9", "--labels-per-day", "5", "--strategy", "annotate"), 3, "pays for no run on stance within pools, bounds and deadline"),
    Case("no money for a run", (*NEXT, "0.01"), 3, "pays for no run on stance"),
    Case("no runs to show", ("next", "--task", "stance", "--top", "0"), 2, "--top"),
    Case("run of the constant answer", (*NEXT, "500", "--strategy", "constant"), 2, "the constant answer needs no run"),
    Case("next on nothing known", ("next", "--task", "mine"), 4, "no evidence on task 'mine'"),
    Case("speeds of nothing measured", ("doctor", "--onto", "rates.yaml"), 2, "--onto and --save take what --calibrate measures"),
    Case("doctor that writes nowhere", ("doctor", "--calibrate", "--write"), 2, "--write changes the card of --onto"),
    Case("doctor asks no server", ("doctor", "--llm-url", "ftp://x"), 2, "--llm-url: found 'ftp://x'"),
    Case("calibration of no time", ("doctor", "--calibrate", "--seconds", "0"), 2, "--seconds: found 0, wanted from 1 to 3600"),
    Case("calibration onto no card", ("doctor", "--calibrate", "--onto", "{file}"), 2, "There is no rate card"),
    Case("speeds that are none", ("rates", "speeds", "rates.yaml", "{file}"), 2, "bad.yaml is no JSON", "{"),
    Case("speeds without rows", ("rates", "speeds", "rates.yaml", "{file}"), 2, "bad.yaml, rows: found nothing, wanted a value", '{"schema_version": 1}'),
    Case("speeds that are not there", ("rates", "speeds", "rates.yaml", "{file}"), 2, "There is no file of speeds"),
    Case("unknown way to train", ("measure", "--task", "stance", "--way", "int4"), 2, "--way: found 'int4', wanted fp32, bf16, 8bit"),
    Case("batch in pieces that do not divide it", ("measure", "--task", "stance", "--way", "bf16+rows=5"), 2, "a batch of 32 cannot be cut into 5 rows"),
    Case("memory of a GPU without a dry run", ("measure", "--task", "stance", "--gpu-memory", "24"), 2, "--gpu-memory belongs to --dry-run"),
    Case("GPU without memory", ("measure", "--task", "stance", "--dry-run", "--gpu-memory", "0"), 2, "--gpu-memory: found 0, wanted GiB of one GPU from 1 to 4096"),
    Case("memory that is no number", ("measure", "--task", "stance", "--dry-run", "--gpu-memory", "nan"), 2, "--gpu-memory: found nan"),
]  # fmt: skip


def arguments_of(case: Case, folder: Path) -> list[str]:
    """The words of a case; its `{file}`, if any, is written into the folder."""
    file = folder / f"bad{case.suffix}"
    if case.text is not None:
        file.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode("utf-8"))
    return [part.replace("{file}", str(file)) for part in case.command]


def run_case(case: Case, folder: Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a case, in a process of its own."""
    done = run_cli(*arguments_of(case, folder))
    return done.returncode, done.stdout, done.stderr.replace(f"{folder}/", "")


def main() -> None:
    """Print the table."""
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            code, _, error = run_case(case, Path(folder))
        lines = [line for line in error.splitlines() if line.strip() and not line.startswith(("Usage", "Try"))]
        print(f"{case.name:32} {code}  {lines[0] if lines else ''}")


if __name__ == "__main__":
    sys.exit(main())
