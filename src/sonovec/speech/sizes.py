"""Sizes of wav2vec 2.0 that are trained here, as settings of ``transformers.Wav2Vec2Config``."""

from __future__ import annotations

from typing import Any

from sonovec.errors import UsageError

#: What all have: pre-norm layers and a layer norm in each convolution, which learn stably, and by which a sound's vectors
#: do not depend on what it was padded with.
_COMMON: dict[str, Any] = {
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
    "conv_stride": (5, 2, 2, 2, 2, 2, 2),
    "num_codevector_groups": 2,
    "feat_proj_dropout": 0.0,
    "attention_dropout": 0.0,
    "layerdrop": 0.0,
}

#: Those that a processor without an accelerator trains in hours, in days, and not at all.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        # Half of the time goes into the first two convolutions, whose frames come 3,200 and 1,600 times a second.
        "conv_dim": (32, 64) + (128,) * 5,
        "hidden_size": 192,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 768,
        "num_conv_pos_embeddings": 64,
        "num_codevectors_per_group": 64,
        "codevector_dim": 64,
        "proj_codevector_dim": 64,
        "num_negatives": 50,
        "hidden_dropout": 0.0,
        "activation_dropout": 0.0,
    },
    "small": {
        "conv_dim": (256,) * 7,
        "hidden_size": 384,
        "num_hidden_layers": 8,
        "num_attention_heads": 6,
        "intermediate_size": 1536,
        "num_codevectors_per_group": 160,
        "codevector_dim": 256,
        "proj_codevector_dim": 256,
        "num_negatives": 100,
    },
    "base": {
        "conv_dim": (512,) * 7,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "num_codevectors_per_group": 320,
        "codevector_dim": 256,
        "proj_codevector_dim": 256,
        "num_negatives": 100,
    },
}


def config(size: str) -> dict[str, Any]:
    """Settings of a size, to be given to ``Wav2Vec2Config`` by their names.

    Raises
    ------
    UsageError
        If there is no such size.

    Examples
    --------
    >>> config("tiny")["hidden_size"]
    192
    """
    if size not in SIZES:
        raise UsageError(f"size={size!r} is unknown; give one of: {', '.join(SIZES)}")
    return {**_COMMON, **SIZES[size]}
