"""Pre-trained Transformers: found by a folder in Hugging Face's layout or a hub id, described, and loaded.

The configuration alone says what a model is, so neither ``transformers`` nor PyTorch is imported until weights have to be
converted for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import MissingExtraError, OutOfMemoryError, UsageError, WeightsError
from sonovec.memory import enough_memory
from sonovec.models.card import ModelCard, Option
from sonovec.models.hub import HUB_ID, snapshot
from sonovec.models.pretrained import CONFIG, Pretrained, read
from sonovec.paths import absolute, display

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float32]

#: Weights that no use here needs: masking in training, quantisers of pre-training, heads of other tasks.
UNNEEDED = ("masked_spec_embed", "decoder.", "proj_out", "lm_head", "quantizer", "project_", "num_batches_tracked")

WINDOW_SECONDS = 10.0
POOLINGS: dict[str, Callable[[Floats], Floats]] = {
    "mean": lambda frames: frames.mean(axis=0, dtype=np.float64).astype(np.float32),
    "max": lambda frames: frames.max(axis=0),
    "first": lambda frames: frames[0],
}
LAYER = Option(
    "last",
    (int, "last", "mean", "weighted", list),
    "which layer's output: its number (0 is what enters the first), the last, the mean of all, or a weighted sum of all by "
    "the weights in the checkpoint or in a list",
)
POOLING = Option("mean", tuple(POOLINGS), "how the frames of a window become its vector")
WINDOW = Option(WINDOW_SECONDS, (float, int), "seconds of sound that the model hears at once")
REMOTE_CODE = Option(False, (False, True), "run the Python code that comes with the model; only for those you trust")


def locate(name: str, weights: Path | None = None) -> Pretrained | None:
    """Find a pre-trained model: `weights` if it is a folder with a configuration, the folder `name`, or the hub's.

    Returns
    -------
    Pretrained or None
        None if `name` is neither a folder with a configuration nor a hub id.

    Raises
    ------
    WeightsError
        If the hub cannot be reached, or a file is not what it was when it was first used.
    MissingExtraError
        If something must be fetched and the extra for it is not installed.
    """
    folder = absolute(Path(name).expanduser())
    if weights is not None and HUB_ID.fullmatch(name):
        if not (weights / CONFIG).is_file():
            raise WeightsError(
                f"{display(weights)}: has no {CONFIG}; give weights= the folder that holds the files of {name}"
            )
        return read(name, weights, "local")
    if (folder / CONFIG).is_file():
        return read(str(folder), folder, "local")
    if folder.exists() or not HUB_ID.fullmatch(name):
        return None
    return read(name, *snapshot(name))


def card(pretrained: Pretrained, paper: str, **fields: Any) -> ModelCard:
    """A card of what a configuration tells; `paper` and `fields` are the family's own."""
    hub = HUB_ID.fullmatch(pretrained.name)
    page = f"https://huggingface.co/{pretrained.name.split('@')[0]}" if hub else pretrained.name
    return ModelCard(
        **{
            "name": pretrained.name if hub else pretrained.folder.name,
            "place": "" if hub else pretrained.name,
            "revision": pretrained.revision,
            "licence": pretrained.licence,
            "extras": ("transformers",),
            "bf16_cosine": 0.9999,
            "trained_on": "see the model's own page",
            "reference": f"{page}; {paper}",
            "family": pretrained.type,
            **fields,
        }
    )


def load(
    pretrained: Pretrained,
    kind: str = "AutoModel",
    *,
    remote_code: bool = False,
    unneeded: Sequence[str] = UNNEEDED,
    **settings: Any,
) -> nn.Module:
    """Load the network of a pre-trained model with ``transformers``, in evaluation mode and float32.

    Parameters
    ----------
    pretrained : Pretrained
    kind : str
        Name of the class in ``transformers``.
    remote_code : bool
        Run code that comes with the model.
    unneeded : sequence of str
        Parts of names of weights that may be missing.

    Raises
    ------
    MissingExtraError
        If ``transformers`` or PyTorch is not installed.
    WeightsError
        If files are damaged, or lack weights of the network.
    """
    try:
        import torch
        import transformers
    except ImportError:
        raise MissingExtraError(
            f"{pretrained.name} needs transformers once, to be converted: pip install 'sonovec[transformers]'"
        ) from None
    files = pretrained.weight_files
    try:
        with enough_memory(pretrained.name, "load"), quiet():
            network, report = getattr(transformers, kind).from_pretrained(
                pretrained.folder,
                local_files_only=True,
                trust_remote_code=remote_code,
                attn_implementation="eager",  # the others are slower once they are converted
                output_loading_info=True,
                **settings,
            )
    except OutOfMemoryError:
        raise
    except Exception as error:  # transformers raises many kinds for files that are not what they should be
        raise WeightsError(
            f"{display(files[0])}: cannot be loaded ({_first_line(error)}); fetch {pretrained.name} again"
        ) from error
    odd_keys = [*sorted(report["missing_keys"]), *map(str, report.get("mismatched_keys") or ())]
    if needed := [key for key in odd_keys if not any(part in key for part in unneeded)]:
        odd = ", ".join(needed[:4])
        raise WeightsError(f"{display(files[0])}: not weights of this {pretrained.type} (lacks {odd}); fetch it again")
    return network.to(torch.float32).eval()


@contextmanager
def quiet() -> Iterator[None]:
    """Let transformers say and draw nothing within the block."""
    from transformers.utils import logging

    level, draws = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if draws:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:160]


def check_layer(layer: object, n_layers: int) -> None:
    """Refuse a layer that is not there, and a list that does not weigh each layer.

    Raises
    ------
    UsageError
    """
    if isinstance(layer, int) and not -n_layers - 1 <= layer <= n_layers:
        raise UsageError(
            f"layer={layer}: the model has {n_layers}; give 0 to {n_layers}, or 'last', 'mean', 'weighted'"
        )
    if isinstance(layer, list) and (len(layer) != n_layers + 1 or not all(isinstance(w, int | float) for w in layer)):
        raise UsageError(
            f"layer={layer}: give {n_layers + 1} weights, for what enters the first layer and for each layer"
        )


def check_window(seconds: object, least: float) -> float:
    """The window in seconds.

    Raises
    ------
    UsageError
        If it is shorter than what the model needs for one frame.
    """
    assert isinstance(seconds, float | int)
    if not seconds >= least:
        raise UsageError(f"window={seconds} is too short for one frame; give seconds, such as window={WINDOW_SECONDS}")
    return float(seconds)


def with_layer(network: nn.Module, layer: object, pretrained: Pretrained) -> nn.Module:
    """A module that gives one sequence of frames (rows, frames, dim): of one layer, or the sum of all."""
    import torch
    from torch import Tensor, nn

    weights = _layer_weights(layer, pretrained)

    class OneLayer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("weights", None if weights is None else torch.tensor(weights, dtype=torch.float32))

        def forward(self, inputs: Tensor) -> Tensor:
            if layer == "last":
                return self.network(inputs).last_hidden_state
            output = self.network(inputs, output_hidden_states=True)
            states = output.hidden_states
            # The last layer's output as the model gives it: transformers 5 lists it before the last normalisation.
            if states[-1].shape == output.last_hidden_state.shape:
                states = (*states[:-1], output.last_hidden_state)
            if isinstance(layer, int):
                return states[layer]
            if layer == "mean":
                return torch.stack(states[1:]).mean(dim=0)
            return (torch.stack(states) * self.weights[:, None, None, None]).sum(dim=0)

    return OneLayer().eval()


def _layer_weights(layer: object, pretrained: Pretrained) -> Sequence[float] | None:
    if isinstance(layer, list):
        return layer
    if layer != "weighted":
        return None
    for file in pretrained.weight_files:
        if (found := _tensor(file, "layer_weights")) is not None:
            exponents = np.exp(found - found.max())
            return [float(weight) for weight in exponents / exponents.sum()]
    raise UsageError(
        f"layer='weighted': {pretrained.name} was not fine-tuned with weights for its layers; give a list of them, or 'mean'"
    )


def _tensor(file: Path, name: str) -> NDArray[np.float64] | None:
    """One tensor of a file of weights."""
    if file.suffix == ".safetensors":
        from safetensors.numpy import load_file

        state: Mapping[str, Any] = load_file(file)
    elif file.suffix == ".bin":
        import torch

        state = torch.load(file, map_location="cpu", weights_only=True)
    else:
        return None
    return np.asarray(state[name], np.float64) if name in state else None


def layer_text(layer: object) -> str:
    """A layer as part of a graph's key."""
    return "w" + "_".join(f"{weight:g}" for weight in layer) if isinstance(layer, list) else str(layer)


def pooled(rows: Sequence[Floats] | Floats, pooling: str) -> Floats:
    """Frames of each window (frames, dim) to its vector."""
    return np.stack([POOLINGS[pooling](frames) for frames in rows])
