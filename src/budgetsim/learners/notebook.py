"""The small JSON beside a saved learner's weights: what it was taught, and by what name."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from budgetsim.data.tasks import Task
from budgetsim.errors import InputError
from budgetsim.learners.protocol import Effort

FILE: Final = "learner.json"


def write_notes(folder: Path, name: str, task: Task, effort: Effort, **more: Any) -> None:
    """Write the notes of a learner into its folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    notes = {"learner": name, "labels": list(task.labels), "effort": asdict(effort), **more}
    (folder / FILE).write_text(json.dumps(notes, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_notes(folder: Path, name: str, task: Task) -> dict[str, Any]:
    """The notes of a saved learner, which must be of that name and those labels.

    raises : InputError saying what is there instead
    """
    place = folder / FILE
    try:
        notes: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        said, labels = notes["learner"], notes["labels"]
        Effort(**notes["effort"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} holds no saved learner ({type(error).__name__}); train it again.") from None
    if said != name:
        raise InputError(f"{folder} holds {said}, not {name}; train {name} again.")
    if labels != list(task.labels):
        raise InputError(
            f"{folder} was taught the labels {', '.join(labels)}, not those of {task.name}; train it again."
        )
    return notes


def effort_of(notes: dict[str, Any]) -> Effort:
    """What teaching took, as noted."""
    return Effort(**notes["effort"])
