"""How near sonovec comes to what this machine can do, model by model.

    pip install -e '.[transformers,openl3]'
    python bench/roofline.py [FOLDER] [--files 60] [--models vggish,yamnet,...] [--rounds 3] [--json]

Two limits are measured first: matrix multiplications on all cores, by OpenVINO and by PyTorch, in float32 and bf16, the best
of a few sizes; and decoding with resampling on all cores, by soundfile and soxr alone. A network's floating-point operations
are counted in its graph (convolutions and matrix products; a multiplication and an addition are two), for the windows of the
files: a window of 30 s that holds 5 s of sound counts whole, where the model hears it whole.

The limit by arithmetic is how fast these would go at the best rate of multiplication; the lower of it and of decoding is the
limit that the share is of. Both want the same cores, so that together they allow less: that is the column "both". Weights are
random ones of the real size, except where real ones lie in the data folder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common
import numpy as np
import weights

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder

SIZES = (512, 1024, 2048, 4096)
#: Seconds that one measurement of a multiplication takes at least.
LEAST_SECONDS = 0.5
FILES = 60
#: Files of which the operations are counted; clips of one length are alike.
COUNTED_FILES = 12


def main() -> None:
    arguments = parse()
    files = common.audio_files(arguments.folder, arguments.files)
    with common.scratch() as scratch:
        peaks = matrix_multiply()
        result = {
            "machine": common.machine(),
            "matrix_multiply_gflops": peaks,
            "files": len(files),
            "audio_seconds": round(sum(common.durations(files)), 1),
        }
        lines, notes = [], []
        if not arguments.json:
            print_machine(result)
        for name in arguments.models:
            try:
                encoder = load(name, scratch, arguments.precision)
            except FileNotFoundError as error:
                notes.append(f"{name}: {error}")
                continue
            lines.append(measure(name, encoder, files, peaks, arguments.rounds))
            if not arguments.json:
                print_line(lines[-1])
    if arguments.json:
        print(json.dumps({**result, "models": [asdict(line) for line in lines], "notes": notes}, indent=1))
    else:
        for note in notes:
            print(note)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=common.data_folder() / "esc10")
    parser.add_argument("--files", type=common.positive, default=FILES)
    parser.add_argument("--rounds", type=common.positive, default=3)
    parser.add_argument("--precision", choices=["auto", "f32", "bf16"], default="auto")
    parser.add_argument("--models", type=known, default=list(MODELS), help=f"of: {', '.join(MODELS)}")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def known(text: str) -> list[str]:
    """Names of models, or a usage error."""
    names = text.split(",")
    if unknown := [name for name in names if name not in MODELS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} unknown; give some of: {','.join(MODELS)}")
    return names


# -- the models


def real(file: str, folder: Path) -> Path:
    """Real weights in the data folder."""
    found = common.data_folder() / "weights" / file
    if not found.is_file():
        raise FileNotFoundError(f"left out, since {file} is not in $SONOVEC_DATA/weights")
    return found


#: By name: what makes its weights in a folder.
MODELS: dict[str, Callable[[Path], Path]] = {
    "vggish": weights.vggish,
    "yamnet": partial(real, "yamnet.tflite"),
    "efficientat-mn04": partial(real, "mn04_as_mAP_432.pt"),
    "panns-cnn14": weights.panns_cnn14,
    "openl3-music-512": weights.openl3_music,
    "byola-2048": partial(weights.byola, dim=2048),
    **{name: partial(weights.pretrained, name) for name in ("wav2vec2-base", "hubert-base", "ast", "whisper-base")},
}


def load(name: str, scratch: Path, precision: str) -> Encoder:
    """An encoder on the CPU."""
    import sonovec
    from sonovec.models import registry

    folder = scratch / name
    folder.mkdir()
    made = MODELS[name](folder)
    if name in weights.PRETRAINED:
        return sonovec.load(str(made), precision=precision, device="cpu")
    if precision == "bf16" and registry.card(name).bf16_cosine is None:
        precision = "auto"
    return sonovec.load(name, weights=made, precision=precision, device="cpu")


# -- what the machine can do


def matrix_multiply() -> dict[str, dict[str, float]]:
    """GFLOP/s of the best size, by precision and library."""
    from sonovec.runtime.openvino_core import cpu_has_bf16

    makers: dict[str, Callable[[int, str], Callable[[], int]]] = {
        "openvino, one call": openvino_product,
        "openvino, a call a core": openvino_products,
        "pytorch": torch_product,
    }
    return {
        precision: {
            name: round(max(rate(make(size, precision), size) for size in SIZES), 1) for name, make in makers.items()
        }
        for precision in ("f32", "bf16")
        if precision == "f32" or cpu_has_bf16()
    }


def rate(work: Callable[[], int], size: int) -> float:
    """GFLOP/s of products of square matrices; `work` says how many it made."""
    work()
    best, began = 0.0, time.perf_counter()
    while time.perf_counter() - began < LEAST_SECONDS or best == 0:
        start = time.perf_counter()
        products = work()
        best = max(best, 2e-9 * size**3 * products / (time.perf_counter() - start))
    return best


def openvino_product(size: int, precision: str) -> Callable[[], int]:
    """One product on all cores."""
    request = compiled_product(size, precision, streams=1).create_infer_request()
    matrix = random_matrix(size)

    def work() -> int:
        request.infer({0: matrix}, share_inputs=True)
        return 1

    return work


def openvino_products(size: int, precision: str) -> Callable[[], int]:
    """A product on each core at once, as sonovec runs its networks."""
    streams = cores()
    model = compiled_product(size, precision, streams)
    requests = [model.create_infer_request() for _ in range(streams)]
    matrix = random_matrix(size)
    pool = ThreadPoolExecutor(streams)

    def work() -> int:
        list(pool.map(lambda request: request.infer({0: matrix}, share_inputs=True), requests))
        return streams

    return work


def compiled_product(size: int, precision: str, streams: int) -> Any:
    """Rows times constant weights, as in a dense layer."""
    import openvino
    from openvino import opset13

    from sonovec.runtime.openvino_core import core

    rows = opset13.parameter([size, size], np.float32)
    product = opset13.matmul(rows, opset13.constant(random_matrix(size)), False, False)
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(cores()),
        "ENABLE_CPU_PINNING": False,
    }
    return core().compile_model(openvino.Model([product], [rows], "product"), "CPU", settings)


def torch_product(size: int, precision: str) -> Callable[[], int]:
    """One product by PyTorch, with as many threads as it takes by itself."""
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.from_numpy(random_matrix(size, seed)).to(kind) for seed in (0, 1))
    out = torch.empty_like(a)

    def work() -> int:
        torch.mm(a, b, out=out)
        return 1

    return work


def random_matrix(size: int, seed: int = 0) -> np.ndarray:
    """Small numbers, so that none overflows."""
    return np.random.default_rng(seed).standard_normal((size, size), np.float32) / np.float32(size)


def cores() -> int:
    """Cores that this process may use."""
    return int(common.machine()["cores"])


@cache
def decode_factor(files: tuple[str, ...], rate: int, rounds: int) -> float:
    """Times real time of decoding and resampling on all cores, the best of the rounds; by no code of sonovec's."""
    import soundfile
    import soxr

    def decode(file: str) -> None:
        samples, own_rate = soundfile.read(file, dtype="float32", always_2d=True)
        soxr.resample(samples.mean(axis=1), own_rate, rate, quality="HQ")

    def work() -> None:
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(decode, files))

    return sum(common.durations(files)) / min(seconds(work) for _ in range(rounds + 1))


# -- what a network needs


def operations(encoder: Encoder, files: Sequence[str]) -> float:
    """GFLOP that a second of sound takes, averaged over the first files."""
    import openvino

    from sonovec.audio.stream import open_mono
    from sonovec.audio.windows import frame
    from sonovec.runtime.convert import converted
    from sonovec.runtime.openvino_core import core

    graph = encoder.model.graph
    assert graph is not None
    file = converted(graph)

    @cache
    def of_row(shape: tuple[int, ...]) -> int:
        network = core().read_model(file)
        network.reshape(openvino.PartialShape([1, *shape]))
        return count(network)

    total = 0
    for path in files[:COUNTED_FILES]:
        with open_mono(path, encoder.rate) as stream:
            for windows in frame(stream, encoder.window):
                rows = encoder.model.features(windows.samples, windows.coverage)
                total += sum(of_row(np.shape(row)) for row in rows)
    return total / sum(common.durations(files[:COUNTED_FILES])) / 1e9


def count(network: Any) -> int:
    """Floating-point operations of a graph whose shapes are all known."""
    return sum(COSTS[node.get_type_name()](node) for node in network.get_ordered_ops() if node.get_type_name() in COSTS)


def _convolution(node: Any) -> int:
    """A filter is (out, in, *kernel); for each number that comes out, all of it but the first axis is multiplied."""
    return 2 * _size(node.output(0)) * int(np.prod(list(node.input(1).get_shape())[1:]))


def _group_convolution(node: Any) -> int:
    """A filter is (groups, out, in, *kernel)."""
    return 2 * _size(node.output(0)) * int(np.prod(list(node.input(1).get_shape())[2:]))


def _product(node: Any) -> int:
    shape = list(node.input(0).get_shape())
    inner = shape[-2] if node.get_attributes()["transpose_a"] and len(shape) > 1 else shape[-1]
    return 2 * _size(node.output(0)) * int(inner)


def _size(output: Any) -> int:
    return int(np.prod(list(output.get_shape())))


COSTS: dict[str, Callable[[Any], int]] = {
    "Convolution": _convolution,
    "GroupConvolution": _group_convolution,
    "MatMul": _product,
}


# -- the table


@dataclass(frozen=True)
class Line:
    """What is known of a model; limits and what was reached in times real time.

    `limit` is the lower of `arithmetic` and `decoding`; `both` is what one after the other on the same cores would allow.
    `target` is a ratio to the package that people use now, which the comparison of that model measures.
    """

    model: str
    precision: str
    gflop_per_second: float
    arithmetic: float
    decoding: float
    limit: float
    both: float
    reached: float
    share: float
    target: float | None


def measure(name: str, encoder: Encoder, files: list[str], peaks: dict[str, dict[str, float]], rounds: int) -> Line:
    """Run the files through the encoder, and hold it against the limits."""
    from sonovec.embedding.embedding import Failure

    precision = encoder.passport.precision
    needed = operations(encoder, files)
    arithmetic = max(peaks[precision].values()) / needed
    decoding = decode_factor(tuple(files), encoder.rate, rounds)
    limit = min(arithmetic, decoding)

    def work(some: list[str]) -> None:
        if failed := [result.reason for result in encoder.embed_many(some) if isinstance(result, Failure)]:
            raise SystemExit("\n".join(failed))

    work(files[:8])
    reached = sum(common.durations(files)) / statistics.median(seconds(partial(work, files)) for _ in range(rounds))
    return Line(
        model=name,
        precision=precision,
        gflop_per_second=round(needed, 3),
        arithmetic=round(arithmetic, 1),
        decoding=round(decoding, 1),
        limit=round(limit, 1),
        both=round(1 / (1 / arithmetic + 1 / decoding), 1),
        reached=round(reached, 1),
        share=round(reached / limit, 3),
        target=common.TARGETS.get(name),
    )


def seconds(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def print_machine(result: dict[str, Any]) -> None:
    machine = result["machine"]
    flags = ", ".join(f"{flag} {'yes' if machine[flag] is True else 'no'}" for flag in common.FLAGS[:3])
    print(f"{machine['processor']}, {machine['cores']} cores ({flags})")
    for precision, libraries in result["matrix_multiply_gflops"].items():
        print(f"{precision} GFLOP/s: " + ", ".join(f"{name} {rate:.0f}" for name, rate in libraries.items()))
    print(
        f"{result['files']} files, {result['audio_seconds']} s; limits and reached in times real time; targets are ratios"
    )
    print("to the package that people use now (see embed_*.py), set for 2 cores with AMX\n")
    print(FORMAT.format(*HEADINGS), flush=True)


HEADINGS = ("model", "", "GFLOP/s of sound", "arithmetic", "decoding", "limit", "both", "reached", "share", "target")
FORMAT = "{:18}{:6}{:>17}{:>12}{:>10}{:>8}{:>8}{:>9}{:>8}{:>8}"


def print_line(line: Line) -> None:
    told = {**asdict(line), "share": f"{line.share:.0%}", "target": f"{line.target} x" if line.target else ""}
    print(FORMAT.format(*told.values()), flush=True)


if __name__ == "__main__":
    main()
