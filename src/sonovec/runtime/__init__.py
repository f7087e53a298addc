"""How a graph is executed: OpenVINO on CPUs, PyTorch on CUDA and for conversion."""

from __future__ import annotations

from sonovec.graph import Graph
from sonovec.runtime.network import DEVICES, PRECISIONS, Network
from sonovec.runtime.select import check_settings, computes_in_bf16, open_network

__all__ = ["DEVICES", "PRECISIONS", "Graph", "Network", "check_settings", "computes_in_bf16", "open_network"]
