"""Sentence vectors of a frozen encoder, each text once: kept by encoder and text, and shared by all runs."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from budgetsim.data.formats import split_fields
from budgetsim.doors.unfinished import sweep, unfinished
from budgetsim.learners.encoder import Features, pair_features
from budgetsim.learners.names import model_id
from budgetsim.learners.pretrained import check_finite, device, is_pooler, load_config, load_model, load_tokenizer
from budgetsim.learners.weights import Weights

BATCH: Final = 64
SHARD: Final = 2048  # texts that are written at once: what an interrupted run loses at most
logger = logging.getLogger("budgetsim.learners")


def encode(
    weights: Weights, sources: Sequence[str], fields: Sequence[str], max_tokens: int, cache: Path | None
) -> Features:
    """Features of sources: the vector of one text; of two, both, their distance, product and cosine.

    returns : (sources, width) or (sources, 4 * width + 1)
    """
    rows, paired = _parts(sources, fields)
    vectors = embed(weights, _texts(rows), max_tokens, cache)
    columns = [np.stack([vectors[row[k]] for row in rows]) for k in range(2 if paired else 1)]
    return pair_features(columns[0], columns[1]) if paired else columns[0]


def shelve(weights: Weights, sources: Sequence[str], fields: Sequence[str], max_tokens: int, cache: Path) -> int:
    """Put the vectors of sources on the shelf, where `encode` will look for them; how many were not there."""
    texts = _texts(_parts(sources, fields)[0])
    held = _shelf(weights, max_tokens, cache).read(texts)
    embed(weights, [text for text in texts if text not in held], max_tokens, cache)
    return len(texts) - len(held)


def embed(weights: Weights, texts: Sequence[str], max_tokens: int, cache: Path | None) -> dict[str, Features]:
    """Mean-pooled, unit-length vector of each text, (width,), read from the cache where it is there."""
    shelf = _shelf(weights, max_tokens, cache) if cache is not None else None
    vectors = shelf.read(texts) if shelf is not None else {}
    absent = sorted((text for text in texts if text not in vectors), key=lambda text: (len(text), text))
    if absent:
        encoder = _Encoder(weights, max_tokens)
        for start in range(0, len(absent), SHARD):
            chunk = absent[start : start + SHARD]
            found = np.concatenate([encoder(chunk[i : i + BATCH]) for i in range(0, len(chunk), BATCH)])
            vectors |= dict(zip(chunk, found, strict=True))
            if shelf is not None:
                shelf.write(chunk, found)
    return vectors


def _parts(sources: Sequence[str], fields: Sequence[str]) -> tuple[list[list[str]], bool]:
    """The texts of each source, and whether all of them are pairs; a mixture is read as single texts."""
    parts = [split_fields(source, fields) for source in sources]
    paired = len(fields) == 2 and all(len(part) == 2 for part in parts)
    return (parts if paired else [[source] for source in sources]), paired


def _texts(rows: Sequence[Sequence[str]]) -> list[str]:
    return sorted({text for row in rows for text in row})


def _shelf(weights: Weights, max_tokens: int, cache: Path) -> Shelf:
    return Shelf(cache / "features" / f"{identity(weights)}-{max_tokens}")


def identity(weights: Weights) -> str:
    """Name of an encoder's features: of its files where they are here."""
    return model_id(weights.target).replace("/", "--")


class Shelf:
    """Vectors of one encoder on disk: small files that are only ever added, so that processes may share them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, texts: Sequence[str]) -> dict[str, Features]:
        """The vectors of those texts that are there."""
        wanted = {text_key(text): text for text in texts}
        return {wanted[key]: vector for key, vector in self._all() if key in wanted}

    def write(self, texts: Sequence[str], vectors: Features) -> None:
        """Add a file of vectors, (texts, width); it appears whole or not at all."""
        keys = [text_key(text) for text in texts]
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / f"{hashlib.sha256(''.join(keys).encode()).hexdigest()[:16]}.safetensors"
        codes = np.frombuffer(bytes.fromhex("".join(keys)), dtype=np.uint8).reshape(len(keys), -1)
        sweep(self.folder)
        with unfinished(place) as temporary:
            save_file({"keys": codes.copy(), "vectors": vectors}, temporary)

    def _all(self) -> Iterator[tuple[str, Features]]:
        for place in sorted(self.folder.glob("*.safetensors")):
            try:
                held = load_file(place)
                yield from zip((code.tobytes().hex() for code in held["keys"]), held["vectors"], strict=True)
            except (OSError, SafetensorError, KeyError) as error:
                logger.warning("%s is damaged (%s): its texts are encoded again.", place.name, type(error).__name__)
                place.unlink(missing_ok=True)


def text_key(text: str) -> str:
    """Key of a text on the shelf: 128 bits of its hash."""
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:32]


class _Encoder:
    """An encoder in memory."""

    def __init__(self, weights: Weights, max_tokens: int) -> None:
        config = load_config(weights)
        self.weights = weights
        self.tokenizer = load_tokenizer(weights)
        model, _ = load_model(weights, "AutoModel", config, fresh=is_pooler)
        self.model = model.to(device())
        self.max_tokens = min(max_tokens, longest(self.tokenizer, config))

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Features:
        inputs: Any = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.model.device)
        hidden = self.model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp_min(1)
        check_finite(self.weights, mean)
        vectors: Features = torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()
        return vectors


def longest(tokenizer: Any, config: Any) -> int:
    """Tokens that a model can take at most; BERT's relatives after RoBERTa count two of their places as padding."""
    places = int(getattr(config, "max_position_embeddings", 0) or 1 << 30)
    spare = int(config.pad_token_id or 0) + 1 if config.model_type in _SHIFTED else 0
    return max(1, min(int(tokenizer.model_max_length), places - spare))


_SHIFTED: Final = ("mpnet", "roberta", "xlm-roberta", "camembert")
