"""How a graph is executed: OpenVINO on CPUs, PyTorch on CUDA and for conversion."""

from __future__ import annotations

from sonovec.graph import Graph
from sonovec.runtime.network import DEVICES, PRECISIONS, Network
from sonovec.runtime.select import open_network

__all__ = ["DEVICES", "PRECISIONS", "Graph", "Network", "open_network"]
