"""How a graph is executed: OpenVINO on CPUs, PyTorch on CUDA and for conversion."""
