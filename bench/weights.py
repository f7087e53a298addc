"""Random weights of each network at its real size, in the published formats: what benchmarks run on.

They cost as much time as trained ones. Made from seeds; those that the tests have recipes for are made by the same recipes.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from common import ROOT

if TYPE_CHECKING:
    from torch import nn

#: By name: class of the configuration and what it says, and the same of the front end. What is not said is the base size.
PRETRAINED: dict[str, tuple[str, dict[str, int], str, dict[str, bool]]] = {
    "wav2vec2-base": ("Wav2Vec2Config", {}, "Wav2Vec2FeatureExtractor", {"return_attention_mask": False}),
    "hubert-base": ("HubertConfig", {}, "Wav2Vec2FeatureExtractor", {"return_attention_mask": False}),
    "wavlm-base": ("WavLMConfig", {}, "Wav2Vec2FeatureExtractor", {"do_normalize": False}),
    "ast": ("ASTConfig", {}, "ASTFeatureExtractor", {}),
    "whisper-base": (
        "WhisperConfig",
        {
            "d_model": 512,
            "encoder_layers": 6,
            "decoder_layers": 1,
            "encoder_attention_heads": 8,
            "decoder_attention_heads": 8,
            "encoder_ffn_dim": 2048,
            "decoder_ffn_dim": 2048,
        },
        "WhisperFeatureExtractor",
        {},
    ),
}

VGGISH = "vggish-10086976.pth"
PANNS_CNN14 = "Cnn14_mAP=0.431.pth"
OPENL3_MUSIC = "openl3_audio_mel256_music.h5"


def pretrained(name: str, folder: Path) -> Path:
    """A folder in Hugging Face's layout."""
    import torch
    import transformers

    config, settings, front_end, front_end_settings = PRETRAINED[name]
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(getattr(transformers, config)(**settings)).eval()
    with torch.no_grad():  # as far from zero as trained ones
        for key, tensor in model.named_parameters():
            if tensor.ndim == 1 and "bias" in key:
                tensor.normal_(0, 0.1)
    model.save_pretrained(folder)
    getattr(transformers, front_end)(**front_end_settings).save_pretrained(folder)
    return folder


def vggish(folder: Path) -> Path:
    """A folder with VGGish's file."""
    import torch

    from sonovec.models.vggish import _network

    torch.manual_seed(0)
    network = _network()
    for tensor in network.parameters():
        if tensor.ndim > 1:  # what PyTorch starts with lets sound die out on its way to the last layer
            torch.nn.init.kaiming_normal_(tensor)
    torch.save(network.state_dict(), folder / VGGISH)
    return folder


def panns_cnn14(folder: Path, network: nn.Module | None = None) -> Path:
    """A folder with CNN14's file; of the reference's own `network`, with the tables of its front end."""
    import torch

    if network is None:
        from sonovec.models.panns import KINDS

        network = KINDS["panns-cnn14"].network()
    state = network.state_dict()
    learnt = {key: tuple(t.shape) for key, t in state.items() if "extractor" not in key and "num_batches" not in key}
    made = _recipe("make_panns").weights(learnt)
    state |= {key: torch.from_numpy(array) for key, array in made.items()}
    torch.save({"model": state}, folder / PANNS_CNN14)
    return folder


def byola(folder: Path, dim: int) -> Path:
    """A folder with BYOL-A's file of that length of vector."""
    import torch

    from sonovec.models import byola

    state = byola.network(dim).state_dict()
    made = _recipe("make_byola").weights({k: tuple(t.shape) for k, t in state.items() if "num_batches" not in k})
    state |= {key: torch.from_numpy(array) for key, array in made.items()}
    torch.save(state, folder / f"AudioNTT2020-BYOLA-64x96d{dim}.pth")
    return folder


def openl3_music(folder: Path) -> Path:
    """A folder with OpenL3's Keras weights for music, unpacked."""
    recipe = _recipe("make_openl3")
    recipe.write(folder / OPENL3_MUSIC, recipe.weights())
    return folder


def _recipe(name: str) -> ModuleType:
    """A script of the tests that makes weights from seeds."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / "golden" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
