"""Text to token ids and back: a small SentencePiece model per split, or a checkpoint's own tokenizer."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from budgetsim.errors import InputError
from budgetsim.learners.hub import load_there

PAD, EOS, UNK = 0, 1, 2


class Codec(Protocol):
    """What training needs of a tokenizer; ids 0 and 1 are padding and end, as in T5."""

    @property
    def vocab_size(self) -> int: ...

    def encode(self, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
        """Ids of each text, cut to `max_tokens` with the end mark included."""

    def encode_labels(self, labels: Sequence[str]) -> list[list[int]]:
        """Ids of each class label, with the end mark."""

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids, up to the end mark."""

    def same_as(self, other: Codec) -> bool:
        """Whether both give the same ids."""


@dataclass(frozen=True, slots=True)
class PieceCodec:
    """SentencePiece unigram model; each class label is one symbol of its own."""

    model: bytes
    labels: tuple[str, ...]

    @property
    def processor(self) -> Any:
        return _processor(self.model)

    @property
    def vocab_size(self) -> int:
        return int(self.processor.get_piece_size())

    def encode(self, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
        return [[*ids[: max_tokens - 1], EOS] for ids in self.processor.encode(list(texts))]

    def encode_labels(self, labels: Sequence[str]) -> list[list[int]]:
        return [[int(self.processor.piece_to_id(_symbol(label))), EOS] for label in labels]

    def decode(self, ids: Sequence[int]) -> str:
        kept = _until_end(ids)
        if len(kept) == 1:
            symbols = {self.encode_labels([label])[0][0]: label for label in self.labels}
            if kept[0] in symbols:
                return symbols[kept[0]]
        return str(self.processor.decode(kept))

    def same_as(self, other: Codec) -> bool:
        return isinstance(other, PieceCodec) and other.model == self.model


@dataclass(frozen=True, slots=True)
class CheckpointCodec:
    """The tokenizer that came with a checkpoint, by name or path."""

    name: str

    @property
    def tokenizer(self) -> Any:
        return _tokenizer(self.name)

    @property
    def vocab_size(self) -> int:
        return len(self.tokenizer)

    def encode(self, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
        ids: list[list[int]] = self.tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
        return ids

    def encode_labels(self, labels: Sequence[str]) -> list[list[int]]:
        return self.encode(labels, 64)

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(_until_end(ids), skip_special_tokens=True)).strip()

    def same_as(self, other: Codec) -> bool:
        return isinstance(other, CheckpointCodec) and other.tokenizer.get_vocab() == self.tokenizer.get_vocab()


def train_pieces(texts: Sequence[str], labels: Sequence[str], vocab_size: int) -> bytes:
    """Train a SentencePiece unigram model on texts; the same texts give the same bytes.

    returns : the serialised model; ids 0, 1, 2 are padding, end and unknown
    """
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=out,
        vocab_size=vocab_size,
        model_type="unigram",
        pad_id=PAD,
        eos_id=EOS,
        unk_id=UNK,
        bos_id=-1,
        user_defined_symbols=[_symbol(label) for label in labels],
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    return out.getvalue()


def checkpoint_codec(name: str) -> CheckpointCodec:
    """The tokenizer of a checkpoint.

    raises : InputError where it cannot be loaded
    """
    codec = CheckpointCodec(name)
    tokenizer = codec.tokenizer
    if tokenizer.pad_token_id != PAD or tokenizer.eos_token_id != EOS:
        raise InputError(
            f"{name} pads with id {tokenizer.pad_token_id} and ends with {tokenizer.eos_token_id}; budgetsim trains "
            f"T5-like checkpoints, which use 0 and 1."
        )
    return codec


def _symbol(label: str) -> str:
    return f"<label:{label}>"


def _until_end(ids: Sequence[int]) -> list[int]:
    kept = []
    for token in ids:
        if token == EOS:
            break
        if token != PAD:
            kept.append(int(token))
    return kept


_processors: dict[bytes, Any] = {}
_tokenizers: dict[str, Any] = {}


def _processor(model: bytes) -> Any:
    if model not in _processors:
        import sentencepiece

        _processors[model] = sentencepiece.SentencePieceProcessor(model_proto=model)
    return _processors[model]


def _tokenizer(name: str) -> Any:
    if name not in _tokenizers:
        from transformers import AutoTokenizer

        try:
            _tokenizers[name] = load_there(AutoTokenizer.from_pretrained, name)
        except (OSError, ValueError) as error:
            raise InputError(
                f"The tokenizer of {name} cannot be loaded ({str(error).splitlines()[0]}). Name a folder that holds "
                f"it, or a model of the hub on a networked machine."
            ) from None
    return _tokenizers[name]


def is_folder(name: str) -> bool:
    """Whether a model name is a folder on this machine."""
    return Path(name).expanduser().is_dir()
