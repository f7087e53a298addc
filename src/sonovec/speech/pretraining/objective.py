"""The objective of wav2vec 2.0, computed by the class of ``transformers``; and what is known of a batch beside its loss.

Source: Baevski, Zhou, Mohamed and Auli, "wav2vec 2.0: A framework for self-supervised learning of speech representations",
https://arxiv.org/abs/2006.11477.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sonovec.models.speech import unpadded
from sonovec.speech.pretraining.plan import Plan


@dataclass(frozen=True)
class Heard:
    """What a batch gave.

    Attributes
    ----------
    loss : tensor
        What is made smaller: the contrastive loss, and the others by their weights.
    contrastive : float
        Cross-entropy of a masked frame, in nats.
    accuracy : float
        Share of the masked frames whose own code is more like the prediction than all others.
    chance : float
        The same by guessing: 1 / (1 + the number of negatives).
    perplexity : tuple of float
        For each group, how many codes the masked frames use: e to the entropy of the codes that were chosen.
    """

    loss: Tensor
    contrastive: float
    accuracy: float
    chance: float
    perplexity: tuple[float, ...]


class Objective:
    """A network of ``Wav2Vec2ForPreTraining``, with what has to be heard within it.

    Parameters
    ----------
    network : transformers.Wav2Vec2ForPreTraining
    plan : Plan
    normalised : bool
        Whether it hears each crop at zero mean and unit variance.
    """

    def __init__(self, network: Any, plan: Plan, normalised: bool) -> None:
        self.network, self._plan, self._normalised = network, plan, normalised
        self._features = self._codes = self._logits = torch.empty(0)
        network.wav2vec2.feature_extractor.register_forward_hook(self._hear_features)
        network.quantizer.weight_proj.register_forward_hook(self._hear_codes)
        self._compare = network.compute_contrastive_logits
        network.compute_contrastive_logits = self._hear_logits

    def __call__(self, samples: NDArray[np.float32]) -> Heard:
        """Mask and compare crops of one length, (crops, samples); NumPy's and PyTorch's generators draw."""
        device = self.network.project_q.weight.device
        crops = np.stack(unpadded(samples, np.ones(len(samples), np.float32), least=1, normalised=self._normalised))
        frames = int(self.network._get_feat_extract_output_lengths(samples.shape[1]))
        masked, negatives = drawn((len(crops), frames), self.network.config.num_negatives, self._plan)
        mask = torch.from_numpy(masked).to(device)
        said = self.network(
            torch.from_numpy(crops).to(device),
            mask_time_indices=mask,
            sampled_negative_indices=torch.from_numpy(negatives).to(device),
        )
        count = mask.sum()
        loss = (said.contrastive_loss + self._plan.diversity * said.diversity_loss) / count
        if self._plan.penalty:
            loss = loss + self._plan.penalty * self._features.float().square().mean()
        found = Heard(
            loss,
            float(said.contrastive_loss.detach() / count),
            float((self._logits.argmax(0) == 0)[mask].float().mean()),
            1 / (1 + negatives.shape[-1]),
            self._perplexity(mask),
        )
        self._features = self._codes = self._logits = torch.empty(0)
        return found

    def _hear_features(self, module: Any, given: Any, features: Tensor) -> None:
        self._features = features

    def _hear_codes(self, module: Any, given: Any, codes: Tensor) -> None:
        self._codes = codes.detach()

    def _hear_logits(self, *given: Any) -> Tensor:
        """Take the likenesses, (1 + negatives, crops, frames); where a negative is the same code, they become -inf later."""
        logits: Tensor = self._compare(*given)
        self._logits = logits.detach()
        return logits

    def _perplexity(self, mask: Tensor) -> tuple[float, ...]:
        groups = self.network.config.num_codevector_groups
        chosen = self._codes[mask].unflatten(-1, (groups, -1)).argmax(-1)
        found = []
        for group in chosen.unbind(-1):
            shares = torch.bincount(group).float() / len(group)
            found.append(float(torch.exp(-torch.xlogy(shares, shares).sum())))
        return tuple(found)


def drawn(shape: tuple[int, int], negatives: int, plan: Plan) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """What is masked of crops, (crops, frames), and which masked frames of the same crop each is compared with.

    Of a crop of up to two spans one is masked, at most half of it, so that there is something to tell it from. There are no
    more negatives than other masked frames.
    """
    from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices, _sample_negative_indices

    span = min(plan.span, shape[1] // 2)
    masked = _compute_mask_indices(shape, plan.mask if shape[1] > 2 * span + 1 else 0.0, span, min_masks=1)
    most = min(negatives, int(masked.sum(axis=1).min()) - 1)
    return masked, _sample_negative_indices(shape, most, masked)


#: Frames of the shortest crop: two are masked, so that there is a negative.
SHORTEST = 4
