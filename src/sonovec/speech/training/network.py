"""A Transformer with characters on top, and batches of it in which no row depends on the others.

Rows of unequal length are padded only for networks to which padding does nothing: those with a layer norm in each
convolution, whose attention has a mask. Group norm takes the mean of a whole row, padding included, so its rows run at their
own length (https://github.com/huggingface/transformers/issues/10117), and so do those of any other network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor, nn

from sonovec.errors import UsageError
from sonovec.models import huggingface as hf
from sonovec.models import speech, w2v_bert
from sonovec.models.pretrained import Pretrained
from sonovec.speech.training.plan import FROZEN, Plan
from sonovec.speech.training.vocabulary import Vocabulary

#: Networks to which padding does nothing, if their convolutions have layer norms.
PADDABLE = ("wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat")
#: Types that can be trained: MERT hears music, and has no characters.
TYPES = (*(each for each in speech.TYPES if each != "mert_model"), *w2v_bert.TYPES)
#: Numbers of a padded batch that run at once: 40 seconds at 16 kHz.
AT_ONCE = 640_000
#: Settings of networks that say how much is dropped out while they are trained.
DROPOUTS = ("hidden_dropout", "attention_dropout", "activation_dropout", "final_dropout", "conformer_conv_dropout")

Rows = Sequence[NDArray[np.float32]]


def build(pretrained: Pretrained, vocabulary: Vocabulary, plan: Plan, keeps_head: bool = False) -> nn.Module:
    """A network that writes a vocabulary, on weights that are there.

    Parameters
    ----------
    pretrained : Pretrained
    vocabulary : Vocabulary
    plan : Plan
    keeps_head : bool
        Whether the weights have a head for just this vocabulary; otherwise it is random.

    Raises
    ------
    UsageError
        If it is of a kind that cannot write.
    """
    if pretrained.type not in TYPES:
        raise UsageError(
            f"{pretrained.name}: is a {pretrained.type!r}, which cannot be trained to write; give one of these: "
            f"{', '.join(TYPES)}"
        )
    config = transformers.AutoConfig.from_pretrained(pretrained.folder, local_files_only=True)
    for name, value in settings(vocabulary, plan).items():
        if hasattr(config, name):
            setattr(config, name, value)
    network = hf.load(pretrained, "AutoModelForCTC", config=config, ignore_mismatched_sizes=True)
    if not keeps_head:
        network.lm_head.reset_parameters()
    if plan.front_end == FROZEN and hasattr(network, "freeze_feature_encoder"):
        network.freeze_feature_encoder()
    return network


def settings(vocabulary: Vocabulary, plan: Plan) -> dict[str, Any]:
    """What a vocabulary and a plan change in the configuration of a network."""
    numbers = vocabulary.numbers
    return {
        "vocab_size": len(vocabulary),
        "pad_token_id": numbers[vocabulary.blank],
        "bos_token_id": numbers.get("<s>"),
        "eos_token_id": numbers.get("</s>"),
        "ctc_loss_reduction": "mean",
        "ctc_zero_infinity": True,
        **dict.fromkeys(DROPOUTS, plan.dropout),
        "layerdrop": 0.0,
        "apply_spec_augment": plan.mask > 0,
        "mask_time_prob": plan.mask,
        "mask_time_length": plan.mask_length,
        "mask_time_min_masks": 0,
    }


def is_paddable(network: Any) -> bool:
    """Whether rows may be padded without an effect on what is given for them."""
    config = network.config
    return config.model_type in PADDABLE and config.feat_extract_norm == "layer"


def frames_of(network: Any, lengths: Sequence[int]) -> list[int]:
    """How many frames a network gives for rows of so many samples, or frames of a spectrogram."""
    found = network._get_feat_extract_output_lengths(torch.tensor(list(lengths)))
    return [max(0, int(each)) for each in found]


def parts(network: Any, rows: Rows) -> Iterator[list[int]]:
    """Numbers of rows that run together, the shortest first."""
    order = sorted(range(len(rows)), key=lambda number: (len(rows[number]), number))
    part: list[int] = []
    for number in order:
        alike = not part or len(rows[part[0]]) == len(rows[number]) or is_paddable(network)
        if part and (not alike or (len(part) + 1) * rows[number].size > AT_ONCE):
            yield part
            part = []
        part.append(number)
    if part:
        yield part


def scores(network: Any, rows: Rows, mask_length: int = 1, whole: bool = True) -> tuple[Tensor, list[int]]:
    """Scores of characters (n, frames, tokens) of one part, and how many frames of each row count.

    Parameters
    ----------
    network : a model of ``transformers`` for CTC
    rows : sequence of arrays
        Of unequal lengths only if the network is paddable.
    mask_length : int
        Frames of one mask while it is trained, but never more than there are.
    whole : bool
        Whether gradients go below the last layer.
    """
    device = network.lm_head.weight.device
    longest = max(map(len, rows))
    is_padded = any(len(row) < longest for row in rows)
    padded = [np.pad(row, [(0, longest - len(row)), *[(0, 0)] * (row.ndim - 1)]) for row in rows]
    mask = torch.stack([torch.arange(longest) < len(row) for row in rows]).long() if is_padded else None
    frames = frames_of(network, [len(row) for row in rows])
    network.config.mask_time_length = max(1, min(mask_length, *frames))
    with torch.set_grad_enabled(whole and torch.is_grad_enabled()):
        hidden = network.base_model(
            torch.from_numpy(np.stack(padded)).to(device), attention_mask=None if mask is None else mask.to(device)
        ).last_hidden_state
    return network.lm_head(network.dropout(hidden)), frames


def losses(scores: Tensor, frames: Sequence[int], wanted: Sequence[Sequence[int]], blank: int) -> Tensor:
    """The loss of each row by character (Graves et al. 2006); 0 where the row has too few frames for its characters.

    Parameters
    ----------
    scores : tensor, shape (n, frames, tokens)
    frames : sequence of int, length n
    wanted : sequence of sequences of int, length n
        Numbers of the characters.
    blank : int
    """
    counts = torch.tensor([len(each) for each in wanted])
    likelihoods = nn.functional.log_softmax(scores.float(), dim=-1).transpose(0, 1)
    found = nn.functional.ctc_loss(
        likelihoods,
        torch.tensor([number for each in wanted for number in each], dtype=torch.long).to(scores.device),
        torch.tensor(list(frames)),
        counts,
        blank=blank,
        reduction="none",
        zero_infinity=True,
    )
    return found / counts.clamp(min=1).to(scores.device)
