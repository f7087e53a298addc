"""CLAP: sounds and words in one space, by hub id or folder.

It hears 10 seconds. Longer sounds are heard window by window, where the reference picks one at random, so that the same
clip can have cosine 0.30 with itself (https://github.com/LAION-AI/CLAP/issues/166); shorter ones are repeated and then
padded, as its authors do.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.errors import MissingExtraError, UsageError
from sonovec.features.mel import LogMel
from sonovec.graph import Graph
from sonovec.models import huggingface as hf
from sonovec.models.card import ModelCard
from sonovec.models.model import Model, Text
from sonovec.models.pretrained import Pretrained
from sonovec.models.unpadded import cut

if TYPE_CHECKING:
    from torch import nn

VERSION = "clap-1"
TYPES = ("clap",)
#: Views of one clip that the models with feature fusion hear: the whole, and three parts of longer ones.
VIEWS = 4


def find(name: str, weights: Path | None) -> ModelCard | None:
    """Card of a CLAP model, or None."""
    pretrained = hf.locate(name, weights)
    if pretrained is None or pretrained.type not in TYPES:
        return None
    front_end = _front_end(pretrained)
    seconds = float(pretrained.processor.get("max_length_s", 10))
    return hf.card(
        pretrained,
        "Wu et al. 2023, https://arxiv.org/abs/2211.06687",
        summary="CLAP: sounds and words in one space",
        rate=front_end.rate,
        window_seconds=seconds,
        hop_seconds=seconds,
        dim=int(pretrained.config.get("projection_dim", 512)),
        front_end=f"{front_end.describe()}; shorter windows: {pretrained.processor.get('padding', 'repeatpad')}",
    )


def _fusion(pretrained: Pretrained) -> bool:
    return bool(pretrained.config.get("audio_config", {}).get("enable_fusion", False))


def _front_end(pretrained: Pretrained) -> LogMel:
    settings = pretrained.processor
    # Trained with torchaudio's bands in the one case and librosa's in the other.
    fused = settings.get("truncation", "fusion") == "fusion"
    fft_length = int(settings.get("fft_window_size", 1024))
    return LogMel(
        rate=int(settings.get("sampling_rate", 48000)),
        window_length=fft_length,
        hop_length=int(settings.get("hop_length", 480)),
        fft_length=fft_length,
        n_mels=int(settings.get("feature_size", 64)),
        f_min=float(settings.get("frequency_min", 0)),
        f_max=float(settings.get("frequency_max", 14000)),
        mel="htk" if fused else "slaney",
        power=2,
        centre="reflect",
        triangles="hertz",
        area_norm=not fused,
        floor="max",
        log_offset=1e-10,
        log="decibel",
    )


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is a folder in Hugging Face's layout."""
    pretrained = hf.locate(card.source, weights)
    assert pretrained is not None
    front_end = _front_end(pretrained)
    length = round(card.window_seconds * card.rate)
    digest = pretrained.weights_hash
    key = f"{VERSION}-{digest[:32]}"
    return Model(
        card=card,
        options=options,
        window=WindowSpec(length, length),
        dim=card.dim,
        front_end=card.front_end,
        weights_hash=digest,
        files=pretrained.files,
        features=partial(
            spectrograms,
            front_end=front_end,
            views=VIEWS if _fusion(pretrained) else 1,
            padding=str(pretrained.processor.get("padding", "repeatpad")),
        ),
        graph=Graph(
            key=f"{key}-audio",
            input_shape=(VIEWS if _fusion(pretrained) else 1, front_end.frames(length), front_end.n_mels),
            torch_module=lambda: _audio_tower(pretrained),
            bf16=card.bf16_cosine is not None,
            rows=1,
        ),
        finish=lambda rows, coverage: np.asarray(rows, np.float32),
        text=Text(
            tokens=partial(_tokens, pretrained),
            graph=Graph(f"{key}-text", (-1,), lambda: _text_tower(pretrained), input_type="int64", example_length=8),
        ),
    )


def spectrograms(
    samples: NDArray[np.float32], coverage: NDArray[np.float32], *, front_end: LogMel, views: int, padding: str
) -> NDArray[np.float32]:
    """Spectrograms (n, views, frames, n_mels); a window that is not full is repeated as `padding` says."""
    length = samples.shape[1]
    whole = np.stack([_filled(row, length, padding) for row in cut(samples, coverage, 1)])
    return np.repeat(front_end(whole)[:, None], views, axis=1)


def _filled(row: NDArray[np.float32], length: int, padding: str) -> NDArray[np.float32]:
    """Fill a window by repetition and zeros: ``repeat``, ``repeatpad`` (whole repetitions only) or ``pad``."""
    times = {"repeat": length // len(row) + 1, "repeatpad": length // len(row), "pad": 1}[padding]
    repeated = np.tile(row, times)[:length]
    return np.pad(repeated, (0, length - len(repeated)))


def _audio_tower(pretrained: Pretrained) -> nn.Module:
    import torch
    from torch import Tensor, nn

    whole = hf.load(pretrained, "ClapModel")

    class Audio(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.projection = whole.audio_model, whole.audio_projection

        def forward(self, views: Tensor) -> Tensor:
            longer = torch.zeros(views.shape[0], 1, dtype=torch.bool)
            pooled = self.model(input_features=views, is_longer=longer).pooler_output
            return nn.functional.normalize(self.projection(pooled), dim=-1)

    return Audio().eval()


def _text_tower(pretrained: Pretrained) -> nn.Module:
    import torch
    from torch import Tensor, nn

    whole = hf.load(pretrained, "ClapModel")

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.projection = whole.text_model, whole.text_projection

        def forward(self, tokens: Tensor) -> Tensor:
            pooled = self.model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).pooler_output
            return nn.functional.normalize(self.projection(pooled), dim=-1)

    return Words().eval()


def _tokens(pretrained: Pretrained, text: str) -> NDArray[np.int64]:
    ids = _tokenizer(pretrained.folder)(text)["input_ids"]
    limit = int(pretrained.config.get("text_config", {}).get("max_position_embeddings", 514)) - 2
    if len(ids) > limit:
        raise UsageError(f"text of {len(ids)} tokens is too long; give at most {limit}: {text[:60]!r}...")
    return np.asarray(ids, np.int64)


@cache
def _tokenizer(folder: Path) -> Any:
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise MissingExtraError("words need transformers: pip install 'sonovec[transformers]'") from None
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)
