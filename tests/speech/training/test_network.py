"""What a network gives for a row, and how it learns from it, does not depend on the rows beside it."""

from __future__ import annotations

import numpy as np
import pytest

from sonovec.errors import UsageError
from sonovec.speech.training import vocabulary as vocabularies
from sonovec.speech.training.plan import Plan
from tests.models import tiny

pytest.importorskip("transformers")
pytest.importorskip("torch")
import torch
import transformers

from sonovec.speech.training import network as networks
from sonovec.speech.training import start as starts

#: Without anything at random; the front end learns too, so that all gradients are compared.
PLAN = Plan(dropout=0.0, mask=0.0, front_end="trained")
WORDS = vocabularies.made(["abcd"])
TEXTS = ("ab", "c", "dda", "b", "ad")
#: Samples, unequal but for two, and one of them shorter than what a frame needs.
LENGTHS = (6000, 3000, 9050, 300, 6000)
PADDED = ("Wav2Vec2", "Hubert", "WavLM", "UniSpeech", "UniSpeechSat")
ALONE = ("wav2vec2-group", "hubert", "data2vec-audio", "sew")


def built(kind, folder):
    if kind in PADDED:
        tiny._model(getattr(transformers, f"{kind}Config")(**tiny.SPEECH | tiny.LAYER_NORM), folder)
        starts.front_end(None).save_pretrained(folder)
        place = folder
    else:
        place = tiny.w2v_bert(folder) if kind == "w2v-bert" else tiny.waveform(kind, folder)
    start = starts.pretrained(str(place))
    torch.manual_seed(0)
    network = networks.build(start.pretrained, WORDS, PLAN)
    for module in network.modules():  # some families keep shares that a plan does not know
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return start, network.train()


def learned(network, rows, wanted):
    """The loss of each row, and the sum of the gradients."""
    network.zero_grad()
    found = np.zeros(len(rows))
    for part in networks.parts(network, rows):
        scores, frames = networks.scores(network, [rows[row] for row in part])
        losses = networks.losses(scores, frames, [wanted[row] for row in part], WORDS.numbers[WORDS.blank])
        losses.sum().backward()
        found[part] = losses.detach().numpy()
    return found, {name: each.grad.clone() for name, each in network.named_parameters() if each.grad is not None}


@pytest.mark.parametrize(
    "kind",
    [PADDED[0], ALONE[0], *(pytest.param(k, marks=pytest.mark.slow) for k in (*PADDED[1:], *ALONE[1:], "w2v-bert"))],
)
def test_loss_and_gradients_do_not_depend_on_padding(kind, tmp_path):
    start, network = built(kind, tmp_path / "model")
    rng = np.random.default_rng(0)
    rows = [start.features(rng.standard_normal(length).astype(np.float32)) for length in LENGTHS]
    wanted = [WORDS.encoded(text) for text in TEXTS]
    parts = list(networks.parts(network, rows))
    assert sorted(row for part in parts for row in part) == [0, 1, 2, 3, 4]
    together = any(len({len(rows[row]) for row in part}) > 1 for part in parts)
    assert together == networks.is_paddable(network) == (kind in PADDED)
    losses, gradients = learned(network, rows, wanted)
    alone = [learned(network, [row], [text]) for row, text in zip(rows, wanted, strict=True)]
    assert losses == pytest.approx([each[0] for each, _ in alone], rel=1e-4, abs=1e-5)
    assert len(gradients) > 20
    for name, gradient in gradients.items():
        summed = sum(each[name] for _, each in alone if name in each)
        scale = float(summed.abs().max()) + 1e-6
        assert float((gradient - summed).abs().max()) < 2e-3 * scale + 1e-6, name


def test_padding_would_change_what_group_norm_gives(tmp_path, monkeypatch):
    """So that the test above can fail."""
    start, network = built("wav2vec2-group", tmp_path / "model")
    monkeypatch.setattr(networks, "is_paddable", lambda network: True)
    rng = np.random.default_rng(0)
    rows = [start.features(rng.standard_normal(length).astype(np.float32)) for length in (3000, 9000)]
    wanted = [WORDS.encoded("ab")] * 2
    losses, _ = learned(network, rows, wanted)
    alone, _ = learned(network, rows[:1], wanted[:1])
    assert abs(losses[0] - alone[0]) > 1e-3


def test_the_loss_is_that_of_transformers(tmp_path):
    start, network = built("Wav2Vec2", tmp_path / "model")
    row = start.features(np.random.default_rng(0).standard_normal(8000).astype(np.float32))
    numbers = WORDS.encoded("abad")
    (loss,), _ = learned(network, [row], [numbers])
    theirs = network(torch.from_numpy(row)[None], labels=torch.tensor([numbers])).loss
    assert loss == pytest.approx(float(theirs.detach()), rel=1e-5)


def test_what_cannot_be_written_has_no_loss_and_no_gradient(tmp_path):
    start, network = built("Wav2Vec2", tmp_path / "model")
    row = start.features(np.random.default_rng(0).standard_normal(800).astype(np.float32))
    losses, gradients = learned(network, [row], [WORDS.encoded("abcdabcd")])
    assert losses == [0.0] and all(not each.any() for each in gradients.values())


def test_the_head_alone_learns_while_the_rest_rests(tmp_path):
    start, network = built("Wav2Vec2", tmp_path / "model")
    row = start.features(np.random.default_rng(0).standard_normal(8000).astype(np.float32))
    scores, frames = networks.scores(network, [row], whole=False)
    networks.losses(scores, frames, [[5]], 0).sum().backward()
    assert {name for name, each in network.named_parameters() if each.grad is not None} == {
        "lm_head.weight",
        "lm_head.bias",
    }


def test_spectrograms_are_no_speech_and_another_head_is_replaced(tmp_path):
    start, network = built("Wav2Vec2", tmp_path / "model")
    network.save_pretrained(tmp_path / "written")
    starts.front_end(start.pretrained).save_pretrained(tmp_path / "written")
    again = starts.pretrained(str(tmp_path / "written")).pretrained
    same = networks.build(again, WORDS, PLAN, keeps_head=True)
    assert torch.equal(same.lm_head.weight, network.lm_head.weight)
    other = networks.build(again, vocabularies.made(["abcdefgh"]), PLAN)
    assert other.lm_head.out_features == 13
    with pytest.raises(UsageError, match="which cannot be trained to write; give one of these: wav2vec2"):
        networks.build(starts.pretrained(str(tiny.ast(tmp_path / "ast", False))).pretrained, WORDS, PLAN)
