"""Load checkpoints of any architecture: what a checkpoint lacks is refused, but for a head that is new.

The libraries are made for checkpoints that are in order; on others they raise errors of any class. Where one of them is
called on what may be broken, all of them are caught and said in one line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from transformers import AutoConfig, AutoTokenizer

from budgetsim.errors import InputError, MissingExtraError
from budgetsim.learners.device import quieten
from budgetsim.learners.tensors import first_line
from budgetsim.learners.weights import Weights, weigh

Fresh = Callable[[Any, str], bool]

_VOCABULARIES: Final = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "spm.model", "tokenizer.model",
    "sentencepiece.bpe.model",
)  # fmt: skip
_MARKS: Final = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_LOADED_BYTES: Final = 2**30  # of files; larger ones are not loaded only to be checked
_SLACK: Final = (
    1.5  # a config may describe this many times the numbers that its files hold, tied ones and heads included
)


def load_config(weights: Weights, layers: int = 0, **changes: Any) -> Any:
    """The config of a checkpoint; with `layers`, of its first ones alone.

    raises : InputError where it cannot be read, or has fewer layers
    """
    try:
        config = AutoConfig.from_pretrained(weights.target, **weights.options, **changes)
    except Exception as error:
        raise _refused(weights, "config", error) from None
    return keep_layers(config, layers) if layers else config


def keep_layers(config: Any, layers: int) -> Any:
    """The config with its first layers alone: loading then leaves the others in the file.

    source : Sajjad, Dalvi, Durrani and Nakov (2020), arXiv 2004.03844: of the ways to drop layers, dropping the top
        ones lost least
    raises : InputError where there are fewer
    """
    there = int(config.num_hidden_layers)
    if layers > there:
        raise InputError(f"{config.model_type} has {there} layers here; layers={layers} cannot be kept.")
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):
        config.layer_types = list(config.layer_types)[:layers]
    return config


def load_tokenizer(weights: Weights) -> Any:
    """The tokenizer of a checkpoint; it pads with its end mark where it has no padding of its own.

    raises : InputError where it cannot be loaded, or the folder holds none: the library would make one up
    """
    if weights.folder is not None and weights.gguf is None and not _holds_tokenizer(weights.folder):
        raise InputError(
            f"{weights.folder} holds no tokenizer ({', '.join(_VOCABULARIES)}); save it beside the weights."
        )
    try:
        with _panics():
            tokenizer = AutoTokenizer.from_pretrained(weights.target, **weights.options)
            _mark_ids(tokenizer)
    except Exception as error:
        raise _refused(weights, "tokenizer", error) from None
    _check_tokenizer(weights, tokenizer)
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise InputError(f"The tokenizer of {weights.model} has neither a padding nor an end mark; add one to it.")
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _check_tokenizer(weights: Weights, tokenizer: Any) -> None:
    longest = tokenizer.model_max_length
    if isinstance(longest, bool) or not isinstance(longest, int | float) or not longest >= 1 or longest == math.inf:
        raise InputError(
            f"The tokenizer of {weights.model} sets model_max_length to {repr(longest)[:40]}; wanted a number from 1."
        )
    names = tokenizer.model_input_names
    if not isinstance(names, list) or not all(name in names for name in ("input_ids", "attention_mask")):
        raise InputError(
            f"The tokenizer of {weights.model} sets model_input_names to {repr(names)[:80]}; wanted input_ids and "
            f"attention_mask among them."
        )


def _mark_ids(tokenizer: Any) -> set[int]:
    """Ids of the marks that a tokenizer has."""
    return {getattr(tokenizer, f"{mark}_token_id") for mark in _MARKS} - {None}


def load_model(weights: Weights, auto: str, config: Any, fresh: Fresh) -> tuple[Any, list[str]]:
    """A model in float32 (a gguf is unpacked to it) on the processor, and the names of its weights that are new.

    auto : class of transformers, e.g. `AutoModelForSequenceClassification`
    fresh : whether a weight, of a model and by name, may be new: a head; draws come from torch's global generator
    raises : InputError where weights are missing, of another shape, or cannot be read
    """
    quieten()
    try:
        model, found = getattr(transformers, auto).from_pretrained(
            weights.target, config=config, dtype=torch.float32, output_loading_info=True,
            ignore_mismatched_sizes=True, **_safely(weights),
        )  # fmt: skip
    except ImportError as error:
        raise MissingExtraError(f"Loading {weights.model} needs more: {first_line(error)}.") from None
    except Exception as error:
        raise _refused(weights, "weights", error) from None
    new = {str(name) for name in found["missing_keys"]} | {_name(entry) for entry in found["mismatched_keys"]}
    lacking = sorted(name for name in new if not fresh(model, name))
    if lacking:
        raise InputError(
            f"The weights of {weights.model} lack {len(lacking)} that its config asks for, {lacking[0]} first: they "
            f"are not filled at random. Fetch the checkpoint again, or name its own config."
        )
    return model.eval(), sorted(new)


def check_class(weights: Weights, auto: str, config: Any) -> None:
    """Refuse an architecture that does not come as what is wanted.

    raises : InputError
    """
    if type(config) not in getattr(transformers, auto)._model_mapping:
        wanted = auto.removeprefix("AutoModelFor")
        raise InputError(f"{weights.model} is a {config.model_type}, of which transformers has no {wanted}.")


def blank_model(weights: Weights, auto: str, config: Any) -> Any:
    """The model without weights (meta device), to be counted.

    raises : InputError where the config describes none
    """
    try:
        with torch.device("meta"):
            return getattr(transformers, auto).from_config(config)
    except Exception as error:
        raise _refused(weights, "config", error) from None


def check_size(weights: Weights, model: Any, held: int) -> None:
    """Refuse a config that describes many more numbers than the files hold.

    model : without weights; held : numbers in the files
    raises : InputError with both
    """
    described = sum(p.numel() for p in model.parameters())
    if described > _SLACK * held + 1_000_000:
        raise InputError(
            f"The config of {weights.model} describes {described:,} parameters and its files hold {held:,}: one of "
            f"them is of another model."
        )


def check_vocabulary(weights: Weights, tokenizer: Any, model: Any) -> None:
    """Refuse a tokenizer that gives ids which the model has no vector for; marks that were added to it may lie beyond.

    model : with or without weights
    raises : InputError with the id and the number of vectors
    """
    vectors = model.get_input_embeddings().weight.shape[0]
    added = set(getattr(tokenizer, "added_tokens_decoder", {})) - _mark_ids(tokenizer)
    largest = max((i for i in tokenizer.get_vocab().values() if i not in added), default=0)
    if largest >= vectors:
        raise InputError(
            f"The tokenizer of {weights.model} gives ids up to {largest:,} and its model has {vectors:,} vectors: one "
            f"of them is of another model."
        )


def check_checkpoint(weights: Weights, auto: str, fresh: Fresh, layers: int = 0, classes: int = 0) -> None:
    """Refuse now what loading would refuse later: config, tokenizer and, of files that are not huge, every weight.

    What is on the hub is looked at when it is loaded. Once for each state of the files.
    raises : InputError as `load_model` does
    """
    if weights.folder is not None and weights.gguf is None:
        files = sorted(place for place in weights.folder.iterdir() if place.is_file())
        state = tuple((place.name, place.stat().st_mtime_ns, place.stat().st_size) for place in files)
        _check_checkpoint(weights, auto, fresh, layers, classes, state)


@cache
def _check_checkpoint(
    weights: Weights, auto: str, fresh: Fresh, layers: int, classes: int, state: tuple[tuple[str, int, int], ...]
) -> None:
    tokenizer = load_tokenizer(weights)
    config = load_config(weights, layers, **({"num_labels": classes} if classes else {}))
    check_class(weights, auto, config)
    held = weigh(weights)
    blank = blank_model(weights, auto, config)
    check_vocabulary(weights, tokenizer, blank)
    if held is not None:
        check_size(weights, blank, held.numbers)
    if held is None or 1e6 * held.megabytes <= _LOADED_BYTES:
        with torch.random.fork_rng():
            model, _ = load_model(weights, auto, config, fresh)
        probe(weights, tokenizer, model)


@torch.no_grad()
def probe(weights: Weights, tokenizer: Any, model: Any) -> None:
    """Read two texts of different lengths: a model in order gives finite numbers.

    raises : InputError where it stumbles over its own tokenizer or config, or gives numbers that are none
    """
    some = ["a short text", "one"]
    try:
        with _panics():
            tokenizer(some, some)  # as tasks of pairs do
            texts = tokenizer(some, padding=True, truncation=True, max_length=8, return_tensors="pt")
        inputs = {name: texts[name] for name in ("input_ids", "attention_mask")}
        model.config.pad_token_id = tokenizer.pad_token_id
        if model.config.is_encoder_decoder:
            shift = getattr(model, "prepare_decoder_input_ids_from_labels", None)  # as teaching does
            inputs["decoder_input_ids"] = shift(texts["input_ids"]) if shift else texts["input_ids"]
        found = model(**inputs)[0]
    except Exception as error:
        raise InputError(f"{weights.model} cannot read a text ({first_line(error)[:200]}).") from None
    check_finite(weights, found)


@contextmanager
def _panics() -> Iterator[None]:
    """A panic of a library in Rust as an error: tokenizers panics over marks that its own template lacks.

    raises : RuntimeError
    """
    try:
        yield
    except BaseException as error:  # no Exception, lest it be passed over
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(f"the library stumbled: {first_line(error)}") from None


def check_finite(weights: Weights, found: Any) -> None:
    """Refuse what a model made of a text where it is no number.

    raises : InputError
    """
    if not bool(found.isfinite().all()):
        raise InputError(
            f"{weights.model} answers a text with numbers that are not finite: its weights or its config are damaged."
        )


def is_head(model: Any, name: str) -> bool:
    """Whether a weight is outside the base model, or its pooler: what a classifier adds to a checkpoint."""
    return not name.startswith(f"{model.base_model_prefix}.") or ".pooler." in name


def is_pooler(model: Any, name: str) -> bool:
    """Whether a weight is of a pooler, which sentence vectors do not read."""
    return "pooler." in name


def is_none(model: Any, name: str) -> bool:
    """No weight may be new."""
    return False


def device() -> torch.device:
    """Where models work."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _holds_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _VOCABULARIES)


def _safely(weights: Weights) -> dict[str, Any]:
    return weights.options if weights.gguf is not None else {**weights.options, "use_safetensors": True}


def _name(entry: Any) -> str:
    return str(entry if isinstance(entry, str) else entry[0])


def _refused(weights: Weights, what: str, error: BaseException) -> InputError:
    return InputError(f"The {what} of {weights.model} cannot be loaded ({first_line(error)[:200]}).")
