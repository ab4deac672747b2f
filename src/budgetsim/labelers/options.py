"""A labeler's name that a person writes: `KIND:MODEL:shots=4:owned=100`, read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from budgetsim.errors import InputError

HELP: Final = (
    "KIND:MODEL with KIND chat or decide, and behind it any of :shots=4 (labelled rows shown in the prompt), "
    ":owned=100 (labels of people it may use: those shown, the others try and calibrate it), :format=json or text, "
    ":logprobs=yes or no, :tokens=N (longest answer), :batch (half the price, within a day)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A model and how it is asked."""

    model: str
    shots: int = 4
    owned: int = 100
    format: str = "json"  # json: the server holds the model to the labels where it can; text: it is only told
    logprobs: bool = True
    tokens: int = 0  # of the answer, at most; 0: as many as the longest label needs
    batch: bool = False


def parse_options(name: str, kind: str) -> Options:
    """The model and options of a name; a model's own name may hold colons.

    raises : InputError where there is no model, or an option is unknown or malformed

    >>> parse_options("chat:llama3:8b:shots=8:batch", "chat")
    Options(model='llama3:8b', shots=8, owned=100, format='json', logprobs=True, tokens=0, batch=True)
    """
    parts = name.split(":")[1:]
    chosen: dict[str, Any] = {}
    while parts and (parts[-1] == "batch" or "=" in parts[-1]):
        word, _, value = parts.pop().partition("=")
        chosen[word] = _read(name, word, value)
    model = ":".join(parts)
    if not model.strip():
        raise InputError(f"{name!r} names no model; write {HELP}.")
    options = Options(model=model, **chosen)
    if options.shots and options.owned < 2 * options.shots:
        raise InputError(
            f"{name!r} shows {options.shots} of {options.owned} owned labels; at most half may be shown, the others "
            f"try the labeler. Raise :owned=, or lower :shots= (0 shows none)."
        )
    _refuse_of_kind(name, kind, chosen)
    return options


def _refuse_of_kind(name: str, kind: str, chosen: dict[str, Any]) -> None:
    useless = sorted({"format", "logprobs", "tokens", "batch"} & set(chosen)) if kind == "decide" else []
    if useless:
        raise InputError(
            f"{name!r}: decide has no use for :{useless[0]}; the server answers with a probability for each label, at "
            f"once. Leave it out, or write chat:."
        )


def _read(name: str, word: str, value: str) -> Any:
    known = {field.name for field in fields(Options)} - {"model"}
    if word not in known:
        raise InputError(f"{name!r}: there is no option {word!r}; write {HELP}.")
    return _READERS[word](name, word, value)


def _count(name: str, word: str, value: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise InputError(f"{name!r}: {word} is {value!r}; wanted a whole number of zero or more.")
    return int(value)


def _one_of(*words: str) -> Callable[[str, str, str], str]:
    def read(name: str, word: str, value: str) -> str:
        if value not in words:
            raise InputError(f"{name!r}: {word} is {value!r}; wanted {' or '.join(words)}.")
        return value

    return read


def _yes(name: str, word: str, value: str) -> bool:
    return _one_of("yes", "no")(name, word, value) == "yes"


def _flag(name: str, word: str, value: str) -> bool:
    return True if value == "" else _yes(name, word, value)


_READERS: Final[dict[str, Callable[[str, str, str], Any]]] = {
    "shots": _count,
    "owned": _count,
    "format": _one_of("json", "text"),
    "logprobs": _yes,
    "tokens": _count,
    "batch": _flag,
}
