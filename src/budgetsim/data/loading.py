"""The rows of a task, from the authors' files, a derivation, the toy generator or a user's files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from budgetsim.data import pins
from budgetsim.data.custom import load_custom
from budgetsim.data.formats import leak_groups, paraphrase_rows, typing_rows
from budgetsim.data.rows import Row, TextFile, data_hash, nfc, parse_pairs
from budgetsim.data.tasks import Task, get_task
from budgetsim.data.toy import TOY_TASK, toy_rows
from budgetsim.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskData:
    """Rows by the file they came from; a task may have only test rows, or no texts of its own."""

    task: Task
    train: tuple[Row, ...]
    test: tuple[Row, ...]
    unlabeled: tuple[str, ...]
    data_hash: str


@dataclass(frozen=True, slots=True)
class Access:
    """What the loader may do to get a file."""

    download: bool = True
    trust_first_use: bool = False


def load_task(name: str, access: Access | None = None) -> TaskData:
    """Read a task's rows; each has the group that must not stand on both sides of a split.

    raises : InputError where no file of the task can be found, read or trusted
    """
    task, access = get_task(name), access or Access()
    if task.origin == "custom":
        return _custom(task)
    if name == TOY_TASK:
        return _toy(task)
    return _LOADERS.get(name, _authors)(task, access)


@cache
def _toy(task: Task) -> TaskData:
    rows = toy_rows()
    return _data(task, [], rows, data_hash([TextFile("toy", "", _rows_hash(tuple(rows)))]))


def _authors(task: Task, access: Access) -> TaskData:
    train, test = _files(task.name, access)
    return _data(task, _rows(task, train), _rows(task, test), _hash(train, test))


def _typing(task: Task, access: Access) -> TaskData:
    train, test = _files("wlp", access)
    rows = [
        row
        for file in (train, test)
        for row in typing_rows(_rows(get_task("wlp"), file), task.labels)
    ]  # fmt: skip
    return _data(task, [], rows, _hash(train, test))


def _paraphrase(task: Task, access: Access) -> TaskData:
    pairs_task = get_task("multipit_id")
    train, test = _files("multipit_id", access)
    sources = pins.fetch(pins.TEST_FILES["multipit_gen"], download=access.download)
    made = [paraphrase_rows(_rows(pairs_task, file)) for file in (train, test)]
    return _data(task, made[0], made[1], _hash(train, test, sources))


_LOADERS: dict[str, Callable[[Task, Access], TaskData]] = {"wlp_typing": _typing, "multipit_gen": _paraphrase}


def _files(name: str, access: Access) -> tuple[TextFile | None, TextFile | None]:
    """The train and test file of an authors' task: what is on this machine, else both downloaded."""
    places = (pins.TRAIN_FILES[name], pins.TEST_FILES[name])
    found = [pins.fetch(place, download=False) for place in places]
    if not any(found):
        if not access.download:
            raise InputError(
                f"No file of {name} is on this machine; set {pins.DATA_DIR_VARIABLE} to the folder that holds "
                f"{places[1].name}."
            )
        trust = access.trust_first_use
        found = [pins.fetch(place, trust_first_use=trust) if place.sha256 or trust else None for place in places]
    if not any(found):
        raise InputError(
            f"{places[1].name} is not on this machine and its hash is not pinned; put it into the folder that "
            f"{pins.DATA_DIR_VARIABLE} names, or pass --trust-first-use."
        )
    return found[0], found[1]


def _rows(task: Task, file: TextFile | None) -> list[Row]:
    pairs = parse_pairs(file, ("source", "target")) if file else []
    groups = leak_groups([source for source, _ in pairs], task.fields)
    return [Row(source, target, group) for (source, target), group in zip(pairs, groups, strict=True)]


def _custom(task: Task) -> TaskData:
    custom = load_custom(task.name)
    train, test = (_grouped(pairs) for pairs in (custom.train, custom.test))
    return TaskData(
        task=task, train=train, test=test, unlabeled=tuple(custom.unlabeled), data_hash=custom.data_hash
    )  # fmt: skip


def _grouped(pairs: Sequence[tuple[str, str]]) -> tuple[Row, ...]:
    """Rows whose own text is what leaks; of a pair both texts are, since one of them may stand in many pairs."""
    return tuple(Row(source, target, nfc(source)) for source, target in pairs)


def _data(task: Task, train: list[Row], test: list[Row], digest: str) -> TaskData:
    return TaskData(task=task, train=tuple(train), test=tuple(test), unlabeled=(), data_hash=digest)


def _hash(*files: TextFile | None) -> str:
    return data_hash([file for file in files if file])


def _rows_hash(rows: Sequence[Row]) -> str:
    import hashlib

    return hashlib.sha256("\n".join(f"{r.source}\t{r.target}" for r in rows).encode()).hexdigest()
