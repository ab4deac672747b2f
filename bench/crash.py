"""Break a campaign in every way a machine can, and show that nothing is lost and nothing is there twice.

    OMP_NUM_THREADS=1 python bench/crash.py [--kills 50] [--only kill disk lock checkpoint cache data]

Runs the generated toy task (and a made CSV task) with a short recipe, in temporary folders.
`kill`: the whole process group gets SIGKILL at a random moment, again and again, until the campaign is
done; its scores must equal those of a campaign nobody disturbed. `disk` needs root, for a small tmpfs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from budgetsim.data.custom import TaskFiles, add_task, register_custom_tasks
from budgetsim.data.toy import toy_rows
from budgetsim.errors import BudgetsimError
from budgetsim.measure import Campaign, RunSpec, get_preset, make_spec, run_campaign
from budgetsim.measure.wording import word
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import check, merge
from budgetsim.store.records import read_shards

STEPS = 120
SEED = 7


def specs(task: str) -> list[RunSpec]:
    """Ten runs that use every kind of stage: cheap, hard labels, an encoder teacher, a T5 teacher."""
    recipe = replace(get_preset("cpu"), steps=STEPS)
    common: dict[str, Any] = {"task": task, "student": "pico", "recipe": recipe}
    made = [make_spec(strategy="annotate", n_labels=n, **common) for n in (100, 300)]
    made += [
        make_spec(strategy="annotate", task=task, student=s, n_labels=100, recipe=recipe)
        for s in ("tfidf-lr", "encoder-lr")
    ]
    made += [
        make_spec(strategy="distill", teacher="minilm-lr", n_labels=100, n_unlabeled=u, **common) for u in (200, 600)
    ]
    made += [
        make_spec(
            strategy="distill", teacher="nano", task=task, student="pico", n_labels=100, n_unlabeled=u, recipe=recipe
        )
        for u in (200, 600)
    ]
    llm = "simulated:accuracy=0.8"
    made += [make_spec(strategy="llm_annotate", labeler=llm, n_llm_labels=300, **common)]
    made += [make_spec(strategy="annotate_plus_llm", labeler=llm, n_labels=100, n_llm_labels=300, **common)]
    return made


def child(home: Path, task: str) -> None:
    """The campaign, as a process of its own."""
    register_custom_tasks(home / "store" / "tasks")
    cache = Path(os.environ.get("CRASH_CACHE", str(home / "cache")))
    wanted = [
        s for s in specs(task) if task == "toy_requests" or s.route.labeler is None
    ]  # answers of its texts are unknown
    campaign = Campaign(specs=wanted, paths=paths_of(home), cache=cache, workers=2, checkpoint_every=20)
    try:
        outcome = run_campaign(campaign, lambda notice: print(word(notice), file=sys.stderr, flush=True))
    except BudgetsimError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    sys.exit(1 if outcome.failed else 0)


def paths_of(home: Path) -> StorePaths:
    return StorePaths(home / "store" / "budgetsim.duckdb")


def launch(home: Path, task: str = "toy_requests", **environment: str) -> subprocess.Popen[str]:
    """Start the campaign in a process group of its own; what it says goes to `log`."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "log").open("a", encoding="utf-8") as log:
        return subprocess.Popen(
            [sys.executable, __file__, "child", str(home), task], stderr=log, text=True, start_new_session=True,
            env={**os.environ, **environment},
        )  # fmt: skip


def finish(home: Path, task: str = "toy_requests", **environment: str) -> int:
    return launch(home, task, **environment).wait()


def scores(home: Path) -> dict[str, float]:
    """Main score by run."""
    return {run.point.run_id: run.scores[0].value for run in read_shards(paths_of(home).runs)[0]}


def verdict(home: Path, reference: dict[str, float]) -> str:
    """Whether the store holds exactly the undisturbed runs, once each, and agrees with its text files."""
    merge(paths_of(home))
    found = scores(home)
    stages = Counter(s.stage_id for s in read_shards(paths_of(home).runs)[1])
    with duckdb.connect(str(paths_of(home).database), read_only=True) as store:
        row = store.execute("SELECT count(*), count(DISTINCT run_id) FROM runs WHERE source = 'measured'").fetchone()
    counts = row if row is not None else (0, 0)
    same = found == reference and counts == (len(reference), len(reference)) and max(stages.values()) == 1
    different = check(paths_of(home))
    words = "same runs and scores, each once, store agrees with its texts"
    return words if same and not different else f"DIFFERS: {len(found)} runs, rows {counts}, {different[:2]}"


def last_words(home: Path, *words: str) -> str:
    """The last line of the log with one of the words."""
    lines = (home / "log").read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if any(word in line for word in words)]
    return found[-1].replace(str(home), "...") if found else "(nothing)"


def kill(home: Path, reference: dict[str, float], kills: int) -> list[tuple[str, str, str]]:
    """SIGKILL at random moments; a new campaign is begun whenever one is done."""
    rng = random.Random(SEED)  # noqa: S311
    rows: list[tuple[str, str, str]] = []
    hit: Counter[str] = Counter()
    number, done = 0, 0
    while done < kills:
        here = home / f"campaign{number}"
        process = launch(here)
        try:
            process.wait(timeout=rng.uniform(4.0, 22.0))
            rows.append((f"campaign {number} ended after {done} kills", verdict(here, reference), ""))
            number += 1
        except subprocess.TimeoutExpired:
            hit.update(at_work(here))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
    here = home / f"campaign{number}"
    finish(here)
    rows.append((f"campaign {number}, after the last of {done} kills", verdict(here, reference), ""))
    rows.append(("stages being built when killed", ", ".join(f"{k} {n}" for k, n in hit.most_common()), ""))
    return rows


def at_work(home: Path) -> list[str]:
    """Kinds of the stages that were being built, or `start` where none was."""
    places = list((home / "cache").glob("*.partial")) if (home / "cache").is_dir() else []
    fresh = [p.name.rsplit("-", 1)[0] for p in places if time.time() - newest(p) < 3]
    return fresh or ["starting or between stages"]


def newest(place: Path) -> float:
    times = [place.stat().st_mtime] + [p.stat().st_mtime for p in place.rglob("*") if p.exists()]
    return max(times)


def disk(home: Path, reference: dict[str, float]) -> list[tuple[str, str, str]]:
    """The cache on a tmpfs that fills up, then with room again."""
    small = home / "small"
    small.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)], check=False).returncode:
        return [("disk full", "not run: mounting a tmpfs needs root", "")]
    try:
        code = finish(home, CRASH_CACHE=str(small / "cache"))
        said = last_words(home, "disk of")
    finally:
        subprocess.run(["umount", str(small)], check=True)
    kept = len(scores(home))
    finish(home)
    return [(f"disk full (6 MB tmpfs): exit {code}, {kept} runs kept", verdict(home, reference), said)]


def lock(home: Path, reference: dict[str, float]) -> list[tuple[str, str, str]]:
    """A shell that holds the database open from before the first run to after the last."""
    merge(paths_of(home))
    held = duckdb.connect(str(paths_of(home).database))
    try:
        code = finish(home)
    finally:
        held.close()
    kept = len(scores(home))
    said = last_words(home, "is held by")
    return [(f"store held open: exit {code}, {kept} runs kept", verdict(home, reference), said)]


def checkpoint(home: Path, reference: dict[str, float]) -> list[tuple[str, str, str]]:
    """Killed while a student trains; then its checkpoints are torn."""
    process = launch(home)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (
        torn := list((home / "cache").glob("*.partial/checkpoints/checkpoint-*"))
    ):
        time.sleep(0.05)
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    torn = list((home / "cache").glob("*.partial/checkpoints/checkpoint-*"))
    for place in torn:
        for name in ("model.safetensors", "optimizer.pt"):
            file = place / name
            if file.exists():
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    code = finish(home)
    said = last_words(home, "is damaged")
    return [(f"{len(torn)} checkpoints torn: exit {code}", verdict(home, reference), said)]


def cache(home: Path, reference: dict[str, float]) -> list[tuple[str, str, str]]:
    """Half of the runs' files lost and every cached stage damaged: a flipped byte in each."""
    finish(home)
    shards = sorted(paths_of(home).runs.glob("*.jsonl"))
    for shard in shards[::2]:
        shard.unlink()
    paths_of(home).database.unlink()
    flipped = 0
    for file in sorted((home / "cache").glob("*/*.safetensors")) + sorted((home / "cache").glob("*/pieces.model")):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 255
        file.write_bytes(bytes(data))
        flipped += 1
    code = finish(home)
    said = last_words(home, "is damaged")
    return [
        (
            f"{flipped} cache files corrupt, {len(shards[::2])} run files lost: exit {code}",
            verdict(home, reference),
            said,
        )
    ]


def data(home: Path, _: dict[str, float]) -> list[tuple[str, str, str]]:
    """A user's file changes between runs."""
    files = write_task(home)
    add_task(home / "store" / "tasks", "made_task", files, "accuracy")
    finish(home, "made_task")
    before = scores(home)
    with files.train.open("a", encoding="utf-8") as out:
        out.write("one more row,refund\n")
    code = finish(home, "made_task")
    said = last_words(home, "has changed")
    untouched = scores(home) == before
    add_task(home / "store" / "tasks", "made_task", files, "accuracy", accept=True)
    again = finish(home, "made_task")
    both = len(scores(home)) == 2 * len(before) and check(paths_of(home)) == []
    words = f"old runs untouched: {untouched}; after `tasks add --yes`: exit {again}, old and new side by side: {both}"
    return [(f"data file changed: exit {code}", words, said)]


def write_task(home: Path) -> TaskFiles:
    """The toy rows as a user's files."""
    folder = home / "data"
    folder.mkdir(parents=True)
    rows = toy_rows(size=2200)
    parts = {"train": rows[:1000], "test": rows[1000:1400]}
    for name, part in parts.items():
        lines = [f'"{r.source}",{r.target}' for r in part]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    texts = "\n".join(json.dumps({"text": r.source}) for r in rows[1400:])
    (folder / "unlabeled.jsonl").write_text(texts + "\n", encoding="utf-8")
    return TaskFiles(train=folder / "train.csv", test=folder / "test.csv", unlabeled=folder / "unlabeled.jsonl")


CASES = {"disk": disk, "lock": lock, "checkpoint": checkpoint, "cache": cache, "data": data}


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["child"]:
        child(Path(sys.argv[2]), sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--only", nargs="+", choices=["kill", *CASES], default=["kill", *CASES])
    chosen = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="budgetsim-crash-"))
    start = time.monotonic()
    try:
        code = finish(home / "reference")
        reference = scores(home / "reference")
        print(f"undisturbed: exit {code}, {len(reference)} runs in {time.monotonic() - start:.0f} s", flush=True)
        for name in chosen.only:
            begun = time.monotonic()
            made = (
                kill(home / "kill", reference, chosen.kills) if name == "kill" else CASES[name](home / name, reference)
            )
            for what, came, said in made:
                print(f"- {what} | {came} | {said}", flush=True)
            print(f"  ({name}: {time.monotonic() - begun:.0f} s)", flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
