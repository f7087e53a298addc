"""Every Transformer against ``transformers`` itself, through the real loading path, from files on disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import sonovec
from sonovec.errors import UsageError, WeightsError
from tests.models import tiny

pytestmark = pytest.mark.filterwarnings("ignore")
LENGTHS = (0.3, 1.07, 4.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Each model is made once, when it is first asked for."""
    made = {}

    def folder(kind, make, *arguments):
        if kind not in made:
            made[kind] = make(tmp_path_factory.mktemp(kind), *arguments)
        return made[kind]

    return folder


def reference(folder, samples, rate, kind="AutoModel", **settings):
    """What `transformers` gives for one sound alone: (frames, dim) of what enters the first layer, and of each layer."""
    import torch
    import transformers

    model = getattr(transformers, kind).from_pretrained(folder, **settings).eval()
    inputs = transformers.AutoFeatureExtractor.from_pretrained(folder)(samples, sampling_rate=rate, return_tensors="pt")
    if "attention_mask" in inputs and getattr(model.config, "feat_extract_norm", "layer") == "group":
        del inputs["attention_mask"]
    with torch.no_grad():
        output = model(**inputs, output_hidden_states=True)
    return [state[0].numpy() for state in (*output.hidden_states[:-1], output.last_hidden_state)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", tiny.WAVEFORM)
def test_waveform_models_equal_the_reference(kind, folders):
    folder = folders(kind, lambda into: tiny.waveform(kind, into))
    encoder = sonovec.load(str(folder), precision="f32")
    for seconds in LENGTHS:
        samples = tiny.sound(seconds, 16000)
        expected = reference(folder, samples, 16000)[-1].mean(axis=0)
        np.testing.assert_allclose(encoder.embed((samples, 16000)).vector, expected, atol=1e-4, err_msg=f"{seconds} s")


@pytest.mark.slow
def test_layers_and_poolings_are_the_references(folders):
    folder = folders("hubert", lambda into: tiny.waveform("hubert", into))
    samples = tiny.sound(1.3, 16000)
    states = reference(folder, samples, 16000)
    weights = [0.1, 0.2, 0.3, 0.4]
    for layer, expected in (
        (0, states[0]), (2, states[2]), (-1, states[-1]), ("last", states[-1]), ("mean", np.mean(states[1:], axis=0)),
        (weights, np.tensordot(weights, states, 1)),
    ):  # fmt: skip
        for pooling, pool in (("mean", expected.mean(axis=0)), ("max", expected.max(axis=0)), ("first", expected[0])):
            vector = (
                sonovec.load(str(folder), precision="f32", layer=layer, pooling=pooling).embed((samples, 16000)).vector
            )
            np.testing.assert_allclose(vector, pool, atol=1e-4, err_msg=f"{layer} {pooling}")


@pytest.mark.slow
def test_weights_of_layers_come_from_a_fine_tuned_checkpoint(tmp_path):
    import torch
    import transformers

    torch.manual_seed(0)
    model = transformers.HubertForSequenceClassification(
        transformers.HubertConfig(**tiny.SPEECH, use_weighted_layer_sum=True)
    )
    torch.nn.init.normal_(model.layer_weights)
    model.eval()
    model.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    samples = tiny.sound(1.0, 16000)
    with torch.no_grad():
        states = model.hubert(torch.from_numpy(samples)[None], output_hidden_states=True).hidden_states
        expected = (torch.stack(states)[:, 0] * model.layer_weights.softmax(0)[:, None, None]).sum(0).mean(0).numpy()
    found = sonovec.load(str(tmp_path), layer="weighted", precision="f32").embed((samples, 16000)).vector
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_mert_is_loaded_without_its_own_code(folders, tmp_path):
    folder = folders("mert", tiny.mert)
    samples = tiny.sound(1.3, 24000)
    plain = tmp_path / "hubert"
    shutil.copytree(folder, plain)
    tiny._change(plain / "config.json", model_type="hubert", architectures=["HubertModel"])
    expected = reference(plain, samples, 24000, "HubertModel")[-1].mean(axis=0)
    encoder = sonovec.load(str(folder), precision="f32")
    assert encoder.rate == 24000 and encoder.card.family == "mert_model"
    np.testing.assert_allclose(encoder.embed((samples, 24000)).vector, expected, atol=1e-4)
    tiny._change(plain / "config.json", model_type="mert_model", feature_extractor_cqt=True)
    with pytest.raises(UsageError, match="remote_code=True"):
        sonovec.load(str(plain))


REMOTE = """
from pathlib import Path
from transformers import HubertConfig, HubertModel

Path({marker!r}).write_text("ran")


class OwnConfig(HubertConfig):
    model_type = "mert_model"


class OwnModel(HubertModel):
    config_class = OwnConfig
"""


@pytest.mark.slow
def test_code_that_comes_with_a_model_runs_only_on_demand(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, marker = tmp_path / "own", tmp_path / "marker"
    shutil.copytree(folders("mert", tiny.mert), folder)
    (folder / "modeling_own.py").write_text(REMOTE.format(marker=str(marker)))
    tiny._change(
        folder / "config.json", auto_map={"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    )
    samples = (tiny.sound(0.5, 24000), 24000)
    plain = sonovec.load(str(folder), precision="f32").embed(samples).vector
    assert not marker.exists()
    own = sonovec.load(str(folder), precision="f32", remote_code=True, layer=-1).embed(samples).vector
    assert marker.read_text() == "ran"
    np.testing.assert_allclose(own, plain, atol=1e-5)


@pytest.mark.slow
def test_w2v_bert_equals_the_reference(folders):
    folder = folders("w2v-bert", tiny.w2v_bert)
    encoder = sonovec.load(str(folder), precision="f32")
    for seconds in LENGTHS:
        samples = tiny.sound(seconds, 16000)
        frames = reference(folder, samples, 16000)[-1]
        n = (1 + (len(samples) - 400) // 160) // 2  # the last may be half padding, which the reference masks
        np.testing.assert_allclose(encoder.embed((samples, 16000)).vector, frames[:n].mean(axis=0), atol=2e-4)


@pytest.mark.slow
def test_whisper_equals_the_reference_and_pools_no_padding(folders):
    import torch
    import transformers

    folder = folders("whisper", tiny.whisper)
    encoder = sonovec.load(str(folder), precision="f32")
    assert encoder.card.window_seconds == 30
    model = transformers.WhisperModel.from_pretrained(folder).eval()
    extract = transformers.AutoFeatureExtractor.from_pretrained(folder)
    for seconds in (1.07, 30.0):
        samples = tiny.sound(seconds, 16000)
        with torch.no_grad():
            states = model.encoder(extract(samples, sampling_rate=16000, return_tensors="pt").input_features)
        frames = states.last_hidden_state[0].numpy()
        expected = frames[: int(np.ceil(seconds * 50))].mean(axis=0)
        np.testing.assert_allclose(encoder.embed((samples, 16000)).vector, expected, atol=2e-4)


@pytest.mark.parametrize("classified", [True, False])
def test_ast_equals_the_reference(classified, folders):
    import torch
    import transformers

    folder = folders(f"ast-{classified}", tiny.ast, classified)
    encoder = sonovec.load(str(folder), precision="f32")
    kind = transformers.ASTForAudioClassification if classified else transformers.ASTModel
    model = kind.from_pretrained(folder).eval()
    extract = transformers.AutoFeatureExtractor.from_pretrained(folder)
    samples = tiny.sound(4.0, 16000)
    inputs = extract(samples, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        base = model.audio_spectrogram_transformer if classified else model
        expected = base(**inputs).pooler_output[0].numpy()
        scores = model(**inputs).logits.sigmoid()[0].numpy() if classified else np.empty(0)
    found = encoder.embed((samples, 16000))
    np.testing.assert_allclose(found.vector, expected, atol=1e-4)
    assert len(found.classes) == (12 if classified else 0)
    np.testing.assert_allclose(found.scores[0], scores, atol=1e-4)


def vectors_of(output):
    """What CLAP gives: the vectors up to transformers 4, a record that holds them since."""
    return getattr(output, "pooler_output", output).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("fusion", [False, True])
def test_clap_hears_and_reads_as_the_reference(fusion, folders):
    import torch
    import transformers

    folder = folders(f"clap-{fusion}", tiny.clap, fusion)
    encoder = sonovec.load(str(folder), precision="f32")
    model = transformers.ClapModel.from_pretrained(folder).eval()
    extract = transformers.AutoFeatureExtractor.from_pretrained(folder)
    for seconds in (10.0, 4.0, 1.07):
        samples = tiny.sound(seconds, 48000)
        inputs = extract(samples, sampling_rate=48000, return_tensors="pt")
        inputs["is_longer"] = torch.zeros(1, 1, dtype=torch.bool)  # the reference draws one of a batch at random
        with torch.no_grad():
            expected = vectors_of(model.get_audio_features(**inputs))[0]
        np.testing.assert_allclose(encoder.embed((samples, 48000)).vector, expected, atol=1e-4, err_msg=f"{seconds} s")
    texts = ["glass breaking", "a dog barks on the roof"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        expected = vectors_of(model.get_text_features(**tokenizer(texts, padding=True, return_tensors="pt")))
    np.testing.assert_allclose(encoder.embed_text(texts), expected, atol=1e-4)
    with pytest.raises(UsageError, match="give a list of texts"):
        encoder.embed_text("glass breaking")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wav2vec2-group", "wavlm"])
def test_vectors_do_not_depend_on_what_else_is_embedded(kind, folders):
    encoder = sonovec.load(str(folders(kind, lambda into: tiny.waveform(kind, into))), window=2)
    sounds = [
        (tiny.sound(seconds, 16000, seed), 16000) for seed, seconds in enumerate((0.01, 0.5, 2.0, 4.3, 0.5, 7.0, 0.03))
    ]
    alone = [encoder.embed(sound).windows for sound in sounds]
    for together in (encoder.embed_many(sounds), reversed(list(encoder.embed_many(sounds[::-1])))):
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one, other.windows)


@pytest.mark.slow
def test_bf16_keeps_its_promise_or_is_not_to_be_had(folders):
    folder = str(folders("wavlm", lambda into: tiny.waveform("wavlm", into)))
    samples = (tiny.sound(4.0, 16000), 16000)
    exact, default = (sonovec.load(folder, precision=precision).embed(samples) for precision in ("f32", "auto"))
    cosine = exact.vector @ default.vector / np.linalg.norm(exact.vector) / np.linalg.norm(default.vector)
    assert cosine > 0.9999


@pytest.mark.slow
def test_nothing_but_the_conversion_needs_torch(folders):
    folder = folders("hubert", lambda into: tiny.waveform("hubert", into))
    sonovec.load(str(folder)).embed((tiny.sound(1, 16000), 16000))
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None; import numpy as np, sonovec; "
        "print(sonovec.load(sys.argv[1]).embed((np.zeros(16000, np.float32), 16000)).vector.shape)"
    )
    run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "(64,)"


def test_what_is_wrong_with_a_folder_is_said_in_a_line(folders, tmp_path):
    whole = folders("hubert", lambda into: tiny.waveform("hubert", into))

    def damaged(name, damage):
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        damage(folder)
        return str(folder)

    def cut(folder):
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-5000])

    def other_weights(folder):
        from safetensors.numpy import load_file, save_file

        state = load_file(folder / "model.safetensors")
        save_file(
            {name: a for name, a in state.items() if "layers.1." not in name},
            folder / "model.safetensors",
            {"format": "pt"},
        )

    cases = [
        ("cut", cut, WeightsError, "model.safetensors: cannot be loaded"),
        ("lacking", other_weights, WeightsError, r"not weights of this hubert \(lacks encoder.layers.1"),
        (
            "none",
            lambda folder: (folder / "model.safetensors").unlink(),
            WeightsError,
            "has no weights; put model.safetensors",
        ),
        (
            "config",
            lambda folder: (folder / "config.json").write_text("{"),
            WeightsError,
            "config.json: cannot be read",
        ),
        ("type", lambda folder: tiny._change(folder / "config.json", model_type="bert"), UsageError, "type 'bert'"),
    ]
    for name, damage, kind, says in cases:
        with pytest.raises(kind, match=says) as caught:
            sonovec.load(damaged(name, damage), precision="f32").embed((tiny.sound(0.5, 16000), 16000))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"layer": 4}, "layer=4: the model has 3; give 0 to 3"),
        ({"layer": [1.0, 2.0]}, "give 4 weights"),
        ({"layer": "first"}, "option layer='first'"),
        ({"window": 0.001}, "window=0.001 is too short"),
        ({"pooling": "median"}, "pooling='median'"),
        ({"layer": "weighted"}, "was not fine-tuned with weights"),
    ],
)
def test_wrong_options_are_refused(options, says, folders):
    folder = folders("hubert", lambda into: tiny.waveform("hubert", into))
    with pytest.raises(UsageError, match=says):
        sonovec.load(str(folder), **options).embed((tiny.sound(0.5, 16000), 16000))


def test_the_card_tells_what_the_configuration_says(folders):
    folder = folders("w2v-bert", tiny.w2v_bert)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    card = sonovec.load(str(folder)).card
    assert (card.licence, card.dim, card.rate, card.family) == ("MIT", 64, 16000, "wav2vec2-bert")
    assert json.loads((folder / "config.json").read_text())["model_type"] == card.family
