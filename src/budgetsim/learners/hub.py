"""Models of the hub: looked at over the network, fetched as safetensors alone, then judged like any other folder."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from budgetsim.errors import InputError, MissingExtraError
from budgetsim.learners.catalogue import ALIASES
from budgetsim.learners.configs import check_config
from budgetsim.learners.tensors import first_line, weight_files

# Weights, configs and vocabularies; pickles and code stay where they are.
TAKEN: Final = (
    "*.safetensors", "*.json", "*.txt", "spiece.model", "spm.model", "tokenizer.model", "sentencepiece.bpe.model",
)  # fmt: skip
_SECONDS: Final = 10


def held_snapshot(model: str) -> Path | None:
    """The folder of a hub model in the libraries' own cache, where all of its weights are there."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        raise MissingExtraError("Models need transformers: pip install 'budgetsim[measure]'.") from None
    config = try_to_load_from_cache(model, "config.json")
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    try:
        weight_files(folder)
    except InputError:
        return None
    return folder


def fetch_hub(model: str) -> Path:
    """The folder of a hub model, downloaded where it is not there.

    raises : InputError where the name is unknown, the hub cannot be reached, or it has no safetensors
    """
    from budgetsim.learners.weights import check_model_name

    check_model_name(model)
    folder = held_snapshot(model)
    if folder is not None:
        return folder
    check_hub(model)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=list(TAKEN)))
    except Exception as error:  # the client's own network errors are of several libraries
        raise InputError(f"{model} was not fetched whole ({first_line(error)[:120]}); run the command again.") from None


@cache
def check_hub(model: str) -> dict[str, Any]:
    """The config of a hub model, from the libraries' cache or over the network, without its weights.

    raises : InputError where the name is unknown, the hub cannot be reached, or it has no safetensors
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError):
        _check_listed(model)
        config = _hub_config(model)
    described: dict[str, Any] = config.to_dict()
    check_config(described, f"the config of {model}")
    return described


def load_there(load: Callable[..., Any], name: str) -> Any:
    """What a library loads by a name; where nothing of it is here, the hub is first asked whether it answers.

    The libraries ask a hub that is not there six times, for half a minute.

    load : a `from_pretrained`
    raises : as it does; InputError where the hub does not answer
    """
    if not Path(name).expanduser().is_dir() and not _is_begun(name):
        _check_answers(name)
    return load(name, trust_remote_code=False)


def _is_begun(model: str) -> bool:
    """Whether the libraries' cache holds something of a model."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(model, "config.json"), str)
    except HFValidationError:
        return True  # no name of the hub: whoever loads says so


def _check_answers(model: str) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().model_info(model, timeout=_SECONDS)
    except HfHubHTTPError:
        return  # it answers; whoever loads says what
    except Exception as error:  # the client's own network errors are of several libraries
        raise InputError(
            f"{model} is not on this machine, and the hub cannot be reached ({first_line(error)[:80]}). Name a folder "
            f"that holds it, or work where the hub can be reached."
        ) from None


def _hub_config(model: str) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"The config of {model} cannot be loaded ({first_line(error)}).") from None


def _check_listed(model: str) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    close = difflib.get_close_matches(model, [*ALIASES, *(a.hub for a in ALIASES.values())], n=1, cutoff=0.7)
    near = f" The nearest name known here is {close[0]}." if close else ""
    try:
        files = [file.rfilename for file in HfApi().model_info(model, timeout=_SECONDS).siblings or ()]
    except GatedRepoError:
        raise InputError(
            f"{model} is behind a form of its owner: accept it on the hub and set HF_TOKEN.{near}"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(f"The hub knows no model {model} (or it is private: set HF_TOKEN).{near}") from None
    except Exception as error:  # the client's own network errors are of several libraries
        raise InputError(
            f"{model} is no folder and no alias, and the hub cannot be reached ({first_line(error)[:80]}): it is "
            f"unknown whether it exists. Name a folder or an alias ({', '.join(ALIASES)}).{near}"
        ) from None
    if not any(name.endswith(".safetensors") for name in files):
        raise InputError(f"{model} has no safetensors on the hub; budgetsim reads no pickled weights.{near}")
