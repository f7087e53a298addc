"""What the built-in encoder hears of a window, be its network run by OpenVINO or trained in PyTorch."""

from sonovec.audio.windows import WindowSpec
from sonovec.features.mel import LogMel

FRONT_END = LogMel(
    rate=32000,
    window_length=1024,
    hop_length=500,
    fft_length=1024,
    n_mels=64,
    f_min=40.0,
    f_max=15000.0,
    power=2,
    log_offset=1e-5,
    shift=-4.0,
    scale=4.0,
    centre="zeros",
)
WINDOW = WindowSpec(length=64000, hop=64000)
#: Frames of one window.
FRAMES = WINDOW.length // FRONT_END.hop_length
