"""The same network in other engines, from our own folded weights: PyTorch, ONNX Runtime, OpenVINO.

They are in `requirements-peers.txt`; what is not installed is left out of the tables.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet.network.engine import Engine
from resnet.stages import blocks_of_depth

Peer = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
"""From (batch, height, width, 3) to the scores and C1 to C5, channels last, as NumPy arrays."""


def installed_peers(engine: Engine, arrays: Mapping[str, NDArray[np.float32]]) -> tuple[dict[str, Peer], list[str]]:
    """The peers that are installed, each checked to give our results, and those that are not.

    Args:
        engine: Ours.
        arrays: Its weights with batch normalisation folded.

    Raises:
        ValueError: A peer's results differ by more than one thousandth of a map's largest value.
    """
    pixels = np.random.default_rng(1).uniform(-120, 130, (1, 224, 224, 3)).astype(np.float32)
    expected = engine.run(pixels)
    found: dict[str, Peer] = {}
    missing = []
    depth, stem_pool = engine.manifest.depth, engine.manifest.stem_pool
    makers: dict[str, Callable[[], Peer]] = {
        "PyTorch, eager": lambda: torch_peer(arrays, depth, stem_pool),
        "ONNX Runtime, exported by PyTorch": lambda: onnx_peer(arrays, depth, stem_pool),
        "OpenVINO": lambda: openvino_peer(engine, "f32"),
        "OpenVINO, bfloat16 allowed": lambda: openvino_peer(engine, "bf16"),
    }
    for name, make in makers.items():
        try:
            peer = make()
        except ImportError as error:
            missing.append(f"{name} ({error.name})")
            continue
        if "bfloat16" not in name:
            for ours, theirs in zip([expected.probabilities, *expected.maps.values()], peer(pixels), strict=True):
                if np.abs(ours - theirs).max() > np.abs(ours).max() / 1000:
                    raise ValueError(f"{name} does not compute the same network")
        found[name] = peer
    return found, missing


def _torch_network(arrays: Mapping[str, NDArray[np.float32]], depth: int, stem_pool: str) -> Any:
    import torch
    from torch import nn
    from torch.nn.functional import max_pool2d, pad, relu

    def convolution(name: str, stride: int = 1, padding: int = 0) -> nn.Conv2d:
        kernel, bias = arrays[f"{name}_conv/kernel"], arrays[f"{name}_conv/bias"]
        height, width, inputs, outputs = kernel.shape
        layer = nn.Conv2d(inputs, outputs, (height, width), stride, padding)
        layer.weight.data = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        layer.bias.data = torch.from_numpy(np.ascontiguousarray(bias))
        return layer

    def dense(name: str) -> nn.Linear:
        kernel, bias = arrays[f"{name}/kernel"], arrays[f"{name}/bias"]
        layer = nn.Linear(*kernel.shape)
        layer.weight.data = torch.from_numpy(np.ascontiguousarray(kernel.T))
        layer.bias.data = torch.from_numpy(np.ascontiguousarray(bias))
        return layer

    class Block(nn.Module):
        def __init__(self, name: str, stride: int, projected: bool) -> None:
            super().__init__()
            self.first = convolution(f"{name}_1", stride)
            self.second = convolution(f"{name}_2", padding=1)
            self.third = convolution(f"{name}_3")
            self.shortcut = convolution(f"{name}_0", stride) if projected else nn.Identity()

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            branch = self.third(relu(self.second(relu(self.first(values)))))
            return relu(branch + self.shortcut(values))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = convolution("conv1", 2, 3)
            self.stages = nn.ModuleList(
                nn.Sequential(
                    *(
                        Block(f"conv{stage}_block{block}", 2 if block == 1 and stage > 2 else 1, block == 1)
                        for block in range(1, count + 1)
                    )
                )
                for stage, count in enumerate(blocks_of_depth(depth), start=2)
            )
            self.hidden, self.predictions = dense("dense_1024"), dense("predictions")

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            values = relu(self.stem(pixels.permute(0, 3, 1, 2)))
            before = 1 if stem_pool == "centered" else 0
            values = max_pool2d(pad(values, (before, 1, before, 1)), 3, 2)
            maps = [values]
            for stage in self.stages:
                maps.append(stage(maps[-1]))
            scores = self.predictions(relu(self.hidden(maps[-1].mean((2, 3)))))
            return (scores.softmax(1), *(found.permute(0, 2, 3, 1) for found in maps))

    return Network().eval()


def torch_peer(arrays: Mapping[str, NDArray[np.float32]], depth: int, stem_pool: str) -> Peer:
    """PyTorch without compilation, convolutions in its channels-last layout."""
    import torch

    network = _torch_network(arrays, depth, stem_pool).to(memory_format=torch.channels_last)

    def run(pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            return [part.contiguous().numpy() for part in network(torch.from_numpy(pixels))]

    return run


def onnx_peer(arrays: Mapping[str, NDArray[np.float32]], depth: int, stem_pool: str) -> Peer:
    """ONNX Runtime, by PyTorch's exporter."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime
    import torch

    network = _torch_network(arrays, depth, stem_pool)
    names = ["scores", "C1", "C2", "C3", "C4", "C5"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            network,
            (torch.zeros(1, 224, 224, 3),),
            str(path),
            dynamo=False,
            input_names=["image"],
            output_names=names,
            dynamic_axes={name: {0: "batch"} for name in ["image", *names]},
        )
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda pixels: [np.asarray(part) for part in session.run(None, {"image": pixels})]


def openvino_peer(engine: Engine, precision: str) -> Peer:
    """OpenVINO, from our own graph."""
    import openvino

    model = openvino.convert_model(engine._forward.get_concrete_function())
    model.reshape([-1, 224, 224, 3])
    hints = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()

    def run(pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        request.infer({0: pixels})
        return [part.data.copy() for part in request.output_tensors]

    return run
