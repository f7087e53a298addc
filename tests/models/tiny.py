"""Small models of each architecture with random weights, saved to disk in Hugging Face's own layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

SPEECH = {
    "conv_dim": (32,) * 7,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 96,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
LAYER_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
#: Name here: configuration class, its settings, and whether the processor normalises.
WAVEFORM = {
    "wav2vec2-group": ("Wav2Vec2Config", SPEECH, True),
    "wav2vec2-layer": ("Wav2Vec2Config", SPEECH | LAYER_NORM, True),
    "wav2vec2-conformer": ("Wav2Vec2ConformerConfig", SPEECH, True),
    "hubert": ("HubertConfig", SPEECH, False),
    "wavlm": ("WavLMConfig", SPEECH, False),
    "wavlm-layer": ("WavLMConfig", SPEECH | LAYER_NORM, True),
    "data2vec-audio": ("Data2VecAudioConfig", SPEECH, True),
    "unispeech": ("UniSpeechConfig", SPEECH, True),
    "unispeech-sat": ("UniSpeechSatConfig", SPEECH, True),
    "sew": ("SEWConfig", SPEECH | {"squeeze_factor": 2, "conv_dim": (32,) * 13}, True),
    "sew-d": (
        "SEWDConfig",
        SPEECH | {"squeeze_factor": 2, "conv_dim": (32,) * 13, "max_position_embeddings": 64, "position_buckets": 32},
        True,
    ),
}


def waveform(kind: str, folder: Path) -> Path:
    """A model that hears the waveform."""
    import transformers

    name, settings, normalises = WAVEFORM[kind]
    _model(getattr(transformers, name)(**settings), folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=normalises, return_attention_mask=True).save_pretrained(folder)
    return folder


#: What the tiny CTC models write with; the last two are the tokenizer's own.
LETTERS = ("<pad>", "<unk>", "|", *"abcdefg", "'", "<s>", "</s>")
#: Classes of CTC models by the configuration of their encoder; w2v-BERT hears frames.
CTC = {name: config.replace("Config", "ForCTC") for name, (config, _, _) in WAVEFORM.items()}


def ctc(kind: str, folder: Path, letters: tuple[str, ...] = LETTERS, rate: int = 16000) -> Path:
    """A model that writes, with its tokenizer, in the layout that `save_pretrained` gives."""
    import transformers

    size = {"vocab_size": len(letters), "pad_token_id": 0}
    if kind == "w2v-bert":
        config = transformers.Wav2Vec2BertConfig(**SPEECH | {"num_adapter_layers": 1}, **size)
        _model(config, folder, "Wav2Vec2BertForCTC", _wordy)
        transformers.SeamlessM4TFeatureExtractor().save_pretrained(folder)
    else:
        name, settings, normalises = WAVEFORM[kind]
        _model(getattr(transformers, name)(**settings, **size), folder, CTC[kind], _wordy)
        transformers.Wav2Vec2FeatureExtractor(
            sampling_rate=rate, do_normalize=normalises, return_attention_mask=True
        ).save_pretrained(folder)
    letters_alone = {letter: number for number, letter in enumerate(letters) if letter not in ("<s>", "</s>")}
    (folder / "letters.json").write_text(json.dumps(letters_alone))
    transformers.Wav2Vec2CTCTokenizer(folder / "letters.json").save_pretrained(folder)
    (folder / "letters.json").unlink()
    return folder


def _wordy(model) -> None:
    """A head that speaks up: random ones write nothing but their favourite token."""
    import torch

    with torch.no_grad():
        model.lm_head.weight.normal_(0, 0.2)
        model.lm_head.bias.zero_()
        if hasattr(
            model.config, "squeeze_factor"
        ):  # what a random one of these hears hardly changes: enlarge the change
            steady = model.eval()(torch.from_numpy(sound(2.0, 16000))[None]).logits.mean((0, 1))
            model.lm_head.weight.mul_(8)
            model.lm_head.bias.copy_(-8 * steady)
        model.lm_head.bias[[1, -2, -1]] = -50  # no trained one writes these
        model.lm_head.bias[2] += 1.0


def mms(folder: Path) -> Path:
    """A model with an adapter and a vocabulary for each language, as MMS has them."""
    import torch
    import transformers
    from safetensors.torch import save_file

    vocabularies = {
        "eng": {letter: number for number, letter in enumerate(LETTERS[:-2])},
        "fra": {letter: number for number, letter in enumerate((*LETTERS[:-2], "é", "ç"))},
    }
    config = transformers.Wav2Vec2Config(**SPEECH | LAYER_NORM, vocab_size=len(vocabularies["eng"]), adapter_attn_dim=8)
    _model(config, folder, "Wav2Vec2ForCTC", _wordy)
    model = transformers.Wav2Vec2ForCTC.from_pretrained(folder)
    for seed, (language, letters) in enumerate(vocabularies.items()):
        torch.manual_seed(seed)
        adapter = {name: torch.randn_like(value) for name, value in model._get_adapters().items()}
        adapter["lm_head.weight"] = torch.randn(len(letters), SPEECH["hidden_size"])
        adapter["lm_head.bias"] = torch.zeros(len(letters)).index_fill(0, torch.tensor([1]), -50)
        save_file(adapter, folder / f"adapter.{language}.safetensors")
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabularies))
    transformers.Wav2Vec2CTCTokenizer(folder / "vocab.json", target_lang="eng").save_pretrained(folder)
    return folder


def mert(folder: Path) -> Path:
    """MERT: HuBERT's network at 24 kHz under a type of its own."""
    import transformers

    _model(transformers.HubertConfig(**SPEECH), folder)
    _change(
        folder / "config.json",
        model_type="mert_model",
        architectures=["MERTModel"],
        sample_rate=24000,
        feature_extractor_cqt=False,
    )
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=24000, do_normalize=True).save_pretrained(folder)
    return folder


def w2v_bert(folder: Path) -> Path:
    import transformers

    _model(transformers.Wav2Vec2BertConfig(**SPEECH, num_adapter_layers=1), folder)
    transformers.SeamlessM4TFeatureExtractor().save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    import transformers

    layers = {"encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    size = {"d_model": 64, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "num_mel_bins": 80}
    _model(transformers.WhisperConfig(**layers, **size), folder)
    transformers.WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


def ast(folder: Path, classified: bool) -> Path:
    import transformers

    size = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    config = transformers.ASTConfig(
        **size, id2label={i: f"class {i}" for i in range(12)}, label2id={f"class {i}": i for i in range(12)}
    )
    _model(config, folder, "ASTForAudioClassification" if classified else "ASTModel")
    transformers.ASTFeatureExtractor().save_pretrained(folder)
    return folder


def clap(folder: Path, fusion: bool) -> Path:
    import transformers

    audio = {
        "patch_embeds_hidden_size": 16, "hidden_size": 128, "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2],
        "enable_fusion": fusion,
    }  # fmt: skip
    text = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "vocab_size": 60,
    }
    _model(transformers.ClapConfig(audio_config=audio, text_config=text, projection_dim=24), folder)
    truncation = "fusion" if fusion else "rand_trunc"
    transformers.ClapFeatureExtractor(truncation=truncation, frequency_min=50).save_pretrained(folder)
    _tokenizer(folder)
    return folder


def _model(config, folder: Path, kind: str = "AutoModel", change=lambda model: None) -> None:
    import torch
    import transformers

    torch.manual_seed(0)
    cls = getattr(transformers, kind)
    model = (cls.from_config(config) if kind == "AutoModel" else cls(config)).eval()
    with torch.no_grad():  # as far from zero as trained ones, so that an error cannot hide
        for name, tensor in model.named_parameters():
            if tensor.ndim == 1 and "bias" in name:
                tensor.normal_(0, 0.1)
    change(model)
    model.save_pretrained(folder)


def _tokenizer(folder: Path) -> None:
    """A word-level tokenizer with RoBERTa's special tokens."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<s>", "<pad>", "</s>", "<unk>", "glass", "breaking", "a", "dog", "barks", "rain", "on", "the", "roof"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "attention_mask"],
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    ).save_pretrained(folder)


def _change(file: Path, **values) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def sound(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Noise with a tone whose loudness moves, float32."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(t))
    return (0.05 * noise + 0.3 * np.sin(2 * np.pi * 440 * t) * np.sin(2 * np.pi * 0.7 * t)).astype(np.float32)
