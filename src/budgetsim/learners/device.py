"""Where training runs, and how a process is prepared for it."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path
from typing import Any, Final

_SETTINGS: Final = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


def prepare(threads: int) -> None:
    """Threads of this process, and libraries that neither report home nor print bars.

    raises : MissingExtraError where torch or transformers is not installed
    """
    from budgetsim.errors import MissingExtraError

    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import torch

        quieten()
    except ImportError as error:
        raise MissingExtraError(
            f"Measuring needs {error.name}: pip install 'budgetsim[measure,cpu]' (README says how to get a CPU or a "
            f"CUDA build of torch)."
        ) from None
    torch.set_num_threads(threads)


def quieten() -> None:
    """Let transformers print no bars and no reports of what a checkpoint lacks: what matters of it is an error here."""
    from transformers.utils import logging as library

    quiet: Any = library
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()


def find_device() -> tuple[str, str]:
    """Class and name of the device torch uses: ("gpu", its name), else ("cpu", the processor's)."""
    import torch

    if torch.cuda.is_available():
        return "gpu", torch.cuda.get_device_name(0)
    return "cpu", cpu_name()


def cpu_name() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def multiplies_bf16(device_class: str) -> bool:
    """Whether the device multiplies bf16 numbers itself, which is then faster than fp32; others convert each of them.

    On a processor with AVX512-BF16 a step of MiniLM takes .60 of the time in bf16 (docs/measuring.md).
    """
    if device_class == "gpu":
        import torch

        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(_cpu_flags()))


def _cpu_flags() -> list[str]:
    """What the processor can do, as Linux names it; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return next((line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features"))), [])


def peak_memory_bytes(device_class: str) -> int:
    """Most memory this process has used: on the GPU, or in all."""
    if device_class == "gpu":
        import torch

        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
