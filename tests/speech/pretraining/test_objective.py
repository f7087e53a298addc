"""The losses and figures against the formulas of the paper, computed here without the class of transformers'."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from sonovec.learn.tuning import generators  # noqa: E402
from sonovec.speech.pretraining.network import continued  # noqa: E402
from sonovec.speech.pretraining.objective import SHORTEST, Objective, drawn  # noqa: E402
from sonovec.speech.pretraining.plan import Plan  # noqa: E402
from tests.speech.pretraining import small  # noqa: E402

PLAN = Plan(steps=100, penalty=3.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return small.checkpoint(tmp_path_factory.mktemp("checkpoint") / "small")


@pytest.fixture
def sound():
    return 0.1 * np.random.default_rng(0).standard_normal((3, 16000)).astype(np.float32)


@pytest.fixture
def network(place):
    with generators.own():
        return continued(str(place), 0).network.eval()


def by_hand(network, sound, plan):
    """Loss, contrastive loss, accuracy and perplexities of crops."""
    crops = torch.from_numpy((sound - sound.mean(1, keepdims=True)) / np.sqrt(sound.var(1, keepdims=True) + 1e-7))
    config = network.config
    generators.begin(0, 0)
    frames = int(network._get_feat_extract_output_lengths(sound.shape[1]))
    masked, negatives = drawn((len(sound), frames), config.num_negatives, plan)
    with torch.no_grad():
        features = network.wav2vec2.feature_extractor(crops)
        hidden = network.wav2vec2(crops, mask_time_indices=torch.from_numpy(masked))
        said = torch.nn.functional.normalize(network.project_hid(hidden.last_hidden_state), dim=-1).flatten(0, 1)
        scores = network.quantizer.weight_proj(hidden.extract_features).flatten(0, 1)
        codes = scores.unflatten(-1, (2, 8)).argmax(-1)
        book = network.quantizer.codevectors[0].unflatten(0, (2, 8))
        chosen = torch.cat([book[0][codes[:, 0]], book[1][codes[:, 1]]], -1)
        real = torch.nn.functional.normalize(network.project_q(chosen), dim=-1)
    losses, right = [], []
    for row, frame in zip(*np.nonzero(masked), strict=True):
        at = row * frames + frame
        others = [n for n in negatives[row, frame] if not torch.equal(codes[n], codes[at])]
        alike = torch.stack([said[at] @ real[n] for n in [at, *others]]) / 0.1
        losses.append(float(torch.logsumexp(alike, 0) - alike[0]))
        right.append(int(alike.argmax()) == 0)
    used = codes[torch.from_numpy(masked).flatten()].numpy()
    perplexity = []
    for group in (0, 1):
        shares = np.bincount(used[:, group]) / len(used)
        perplexity.append(np.exp(-sum(share * np.log(share) for share in shares if share)))
    diversity = (16 - sum(perplexity)) / 16
    penalty = float(features.square().mean())
    loss = np.mean(losses) + plan.diversity * diversity + plan.penalty * penalty
    return loss, np.mean(losses), np.mean(right), perplexity


def test_losses_and_figures_are_those_of_the_formulas(network, sound):
    with generators.own():
        expected = by_hand(network, sound, PLAN)
        objective = Objective(network, PLAN, normalised=True)
        generators.begin(0, 0)
        heard = objective(sound)
    found = float(heard.loss.detach()), heard.contrastive, heard.accuracy, heard.perplexity
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
    assert heard.chance == 1 / 11


@given(st.integers(SHORTEST, 120), st.integers(1, 5), st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_every_crop_is_masked_and_has_negatives_of_its_own(frames, crops, seed):
    with generators.own():
        generators.begin(seed, 0)
        masked, negatives = drawn((crops, frames), 20, PLAN)
    assert (masked.sum(1) >= 2).all() and not masked.all()
    assert 1 <= negatives.shape[-1] <= 20
    for row, frame in zip(*np.nonzero(masked), strict=True):
        others = negatives[row, frame]
        assert (
            (others // frames == row).all() and masked[row, others % frames].all() and (others % frames != frame).all()
        )


def test_half_a_digit_is_enough(network):
    sound = 0.1 * np.random.default_rng(0).standard_normal((2, small.LEAST)).astype(np.float32)
    with generators.own():
        generators.begin(0, 0)
        heard = Objective(network, PLAN, normalised=True)(sound)
    assert np.isfinite(heard.contrastive) and heard.chance == 0.5


@pytest.mark.slow
def test_what_is_masked_can_be_learned(network, sound):
    learning = [each for name, each in network.named_parameters() if name.startswith(("wav2vec2.encoder", "project"))]
    with generators.own():
        objective, optimiser = Objective(network, PLAN, normalised=True), torch.optim.Adam(learning, lr=1e-2)
        heard = []
        for _ in range(60):
            generators.begin(0, 0)  # the same masks and negatives
            heard.append(objective(sound))
            optimiser.zero_grad()
            heard[-1].loss.backward()
            optimiser.step()
    assert heard[0].accuracy < 0.3 and heard[-1].accuracy > 0.6
    assert heard[-1].contrastive < 0.6 * heard[0].contrastive
