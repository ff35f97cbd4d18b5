"""The folded network for ONNX Runtime, which takes less time than TensorFlow for one image.

An extra (`requirements-fast.txt`): where it is installed, it runs the forward pass. TensorFlow stays the
reference, and computes everything else. The graph is written here from the weights, node by node
(operators: https://onnx.ai/onnx/operators/); the results agree with TensorFlow's within
`MAP_TOLERANCE` and `PROBABILITY_TOLERANCE`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet.errors import OptionError
from resnet.stages import STAGE_NAMES

MAP_TOLERANCE = 1e-4
"""Largest difference of a map's values, as a share of its largest value."""

PROBABILITY_TOLERANCE = 1e-4
"""Largest difference of a probability."""

RUNTIMES = ("auto", "tensorflow", "onnx")

Forward = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
"""From (batch, height, width, 3) to the probabilities and the maps C1 to C5, channels last."""


def chosen_runtime() -> str:
    """Return the engine of the forward pass, "tensorflow" or "onnx": `RESNET_RUNTIME`, else what is installed.

    Raises:
        OptionError: `RESNET_RUNTIME` is unknown, or asks for what is not installed.
    """
    wanted = os.environ.get("RESNET_RUNTIME") or "auto"
    if wanted not in RUNTIMES:
        raise OptionError("RESNET_RUNTIME must be one of {}; received {!r}.", ", ".join(RUNTIMES), wanted)
    installed = bool(find_spec("onnx") and find_spec("onnxruntime"))
    if wanted == "onnx" and not installed:
        raise OptionError("RESNET_RUNTIME is onnx, but the packages onnx and onnxruntime are not installed.")
    return "onnx" if installed and wanted != "tensorflow" else "tensorflow"


def compile_onnx(arrays: Mapping[str, NDArray[np.float32]], blocks: Sequence[int], stem_pool: str) -> Forward:
    """A forward pass by ONNX Runtime.

    Args:
        arrays: Of `weights.fold`.
        blocks: Blocks per stage C2 to C5.
        stem_pool: "same" or "centered".
    """
    # From 1.29 on its builds report each session to their maker, unless this is set before they load.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # By itself it would take the machine's cores, of which this process may have fewer.
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    model = _Graph(arrays).build(blocks, stem_pool)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [np.asarray(part) for part in session.run(None, {"image": pixels})]

    return run


class _Graph:
    """A graph that grows node by node; every method gives the name of what it computes."""

    def __init__(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        self._arrays = arrays
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def build(self, blocks: Sequence[int], stem_pool: str) -> bytes:
        from onnx import TensorProto, helper

        values = self._node("Transpose", ["image"], perm=[0, 3, 1, 2])
        values = self._relu(self._convolution("conv1", values, stride=2, padding=3))
        if stem_pool == "centered":
            values = self._node("MaxPool", [values], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        else:
            values = self._node("MaxPool", [values], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
        maps = [values]
        for stage, count in enumerate(blocks, start=2):
            for block in range(1, count + 1):
                values = self._block(f"conv{stage}_block{block}", values, stride=2 if block == 1 and stage > 2 else 1)
            maps.append(values)
        features = self._node("Flatten", [self._node("GlobalAveragePool", [values])])
        scores = self._dense("predictions", self._relu(self._dense("dense_1024", features)))
        self._node("Softmax", [scores], output="scores", axis=1)
        for name, found in zip(STAGE_NAMES, maps, strict=True):
            self._node("Transpose", [found], output=name, perm=[0, 2, 3, 1])
        graph = helper.make_graph(
            self._nodes,
            "resnet",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", "height", "width", 3])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("scores", *STAGE_NAMES)],
            self._weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return bytes(model.SerializeToString())

    def _node(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _weight(self, name: str, values: NDArray[np.float32]) -> str:
        from onnx import numpy_helper

        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def _relu(self, values: str) -> str:
        return self._node("Relu", [values])

    def _convolution(self, name: str, values: str, stride: int = 1, padding: int = 0) -> str:
        kernel = self._arrays[f"{name}_conv/kernel"]  # height, width, in, out
        bias = self._arrays.get(f"{name}_conv/bias")
        inputs = [values, self._weight(f"{name}/kernel", kernel.transpose(3, 2, 0, 1))]
        if bias is not None:
            inputs.append(self._weight(f"{name}/bias", bias))
        return self._node("Conv", inputs, strides=[stride] * 2, pads=[padding] * 4)

    def _dense(self, name: str, values: str) -> str:
        kernel = self._arrays[f"{name}/kernel"]
        bias = self._arrays.get(f"{name}/bias", np.zeros(kernel.shape[1], np.float32))
        return self._node("Gemm", [values, self._weight(f"{name}/kernel", kernel), self._weight(f"{name}/bias", bias)])

    def _block(self, name: str, values: str, stride: int) -> str:
        projected = f"{name}_0_conv/kernel" in self._arrays
        shortcut = self._convolution(f"{name}_0", values, stride) if projected else values
        branch = self._relu(self._convolution(f"{name}_1", values, stride))
        kernel_size = self._arrays[f"{name}_2_conv/kernel"].shape[0]
        branch = self._relu(self._convolution(f"{name}_2", branch, padding=kernel_size // 2))
        branch = self._convolution(f"{name}_3", branch)
        return self._relu(self._node("Add", [branch, shortcut]))
