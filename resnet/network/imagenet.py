"""The published ImageNet weights, moved into this network exactly.

Keras' loader downloads, hash-checks and caches the file; what is moved is cached beside it, so that
the second start builds no second network. See https://keras.io/api/applications/resnet/.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import keras
import numpy as np
from numpy.typing import NDArray

from resnet.errors import WeightsError
from resnet.network.manifest import MANIFEST_NAME, Manifest, file_sha256, read_manifest, write_manifest
from resnet.network.model import BATCH_NORM_EPSILON
from resnet.network.weights import Arrays, arrays_of, read_arrays, write_npz
from resnet.photo.preprocess import InputSpec
from resnet.stages import HIDDEN_UNITS

KERAS_EPSILON = 1.001e-5
LOGIT_SHIFT = 64.0
"""Added before the hidden ReLU and taken off behind it: no logit of the published head is below -64."""

CONNECT_SECONDS = 3.0
STALL_SECONDS = 30.0
KERAS_FILE = "resnet101_weights_tf_dim_ordering_tf_kernels.h5"
KERAS_ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
KERAS_MD5 = "f1aeb4b969a6efcfb50fad2f0c20cfc5"

IMAGENET_MANIFEST = Manifest(
    name="imagenet-resnet101",
    depth=101,
    classes=1000,
    stem_pool="centered",
    input=InputSpec(size=224, crop_fraction=224 / 256),
    file="imagenet-resnet101.npz",
    sha256="",
    data="ImageNet-1k (ILSVRC 2012), 1.28 million photographs; published by Keras",
    accuracy={"ImageNet validation, as published by Keras": {"images": 50000, "top1": 0.764, "top5": 0.928}},
    licence="MIT (He et al., deep-residual-networks), as ported by Keras",
)


def keras_home() -> Path:
    """Return the folder of Keras' files: `KERAS_HOME`, or `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()


def models_folder() -> Path:
    """Return the folder of Keras' downloaded weights: below its home, or in /tmp where that is read-only."""
    home = keras_home()
    return (home if os.access(home, os.W_OK) else Path("/tmp/.keras")) / "models"


def converted_folder() -> Path:
    """Return the folder in which the converted weights are cached."""
    # Not below /tmp, where another user could have put something else under that name.
    return keras_home() / "models" / "resnet-stages-imagenet-resnet101"


def is_cached() -> bool:
    """Return True if the ImageNet weights are installed, converted or as Keras' file."""
    return (converted_folder() / MANIFEST_NAME).is_file() or (models_folder() / KERAS_FILE).is_file()


def check_reachable(timeout: float = CONNECT_SECONDS) -> None:
    """Open and close one connection to the host that publishes the weights.

    Raises:
        WeightsError: It cannot be reached within `timeout` seconds.
    """
    if getproxies().get("https"):
        return  # a proxy connects for us, and Keras' loader uses it
    host = urlsplit(KERAS_ADDRESS).hostname or ""
    try:
        socket.create_connection((host, 443), timeout).close()
    except OSError as error:
        raise WeightsError(
            "The ImageNet weights cannot be downloaded: no connection to {} within {:g} s.", host, timeout
        ) from error


def move_from_keras(published: keras.Model) -> Arrays:
    """The weights of a `keras.applications` ResNet v1 as arrays for the network of this project.

    The network must be built with `stem_pool="centered"`. Two things differ besides: Keras trained
    with another epsilon, which goes into gamma, and with one dense layer, which becomes the first
    of ours; the second passes it on.

    Args:
        published: ResNet50, ResNet101 or ResNet152 with its head of at most 1,024 classes.
    """
    arrays = arrays_of(published)
    for key in [key for key in arrays if key.endswith("/gamma")]:
        variance = arrays[key.replace("/gamma", "/moving_variance")].astype(np.float64)
        correction = np.sqrt((variance + BATCH_NORM_EPSILON) / (variance + KERAS_EPSILON))
        arrays[key] = (arrays[key] * correction).astype(np.float32)
    kernel, bias = arrays["predictions/kernel"], arrays["predictions/bias"]
    features, classes = kernel.shape
    hidden_kernel = np.zeros((features, HIDDEN_UNITS), np.float32)
    hidden_kernel[:, :classes] = kernel
    hidden_bias = np.zeros(HIDDEN_UNITS, np.float32)
    hidden_bias[:classes] = bias + LOGIT_SHIFT
    arrays["dense_1024/kernel"], arrays["dense_1024/bias"] = hidden_kernel, hidden_bias
    arrays["predictions/kernel"] = np.eye(HIDDEN_UNITS, classes, dtype=np.float32)
    arrays["predictions/bias"] = np.full(classes, -LOGIT_SHIFT, np.float32)
    return arrays


def has_moved_head(arrays: Mapping[str, NDArray[np.float32]]) -> bool:
    """Tell whether the two dense layers were the one of Keras: the hidden units then carry about `LOGIT_SHIFT`.

    Args:
        arrays: By layer and part; as they were moved, or trained further.
    """
    bias = arrays.get("predictions/bias")
    return bias is not None and bool((abs(bias + LOGIT_SHIFT) < LOGIT_SHIFT / 4).all())


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """A limit for Keras' download, which sets none itself and would wait for ever on a dead line."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _keras_file_is_whole() -> bool:
    path = models_folder() / KERAS_FILE
    if not path.is_file():
        return False
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return digest == KERAS_MD5


def _published_network(download: bool) -> keras.Model:
    if not _keras_file_is_whole():
        if not download:
            raise WeightsError("The ImageNet weights are not on this machine, or only in part.")
        check_reachable()  # Keras would download, and wait for a closed network far longer
    try:
        # Keras draws its progress bar on standard output, which may carry our JSON.
        with _socket_timeout(STALL_SECONDS), contextlib.redirect_stdout(sys.stderr):
            path = keras.utils.get_file(
                KERAS_FILE,
                KERAS_ADDRESS + KERAS_FILE,
                cache_dir=models_folder().parent,
                cache_subdir="models",
                file_hash=KERAS_MD5,
            )
            return keras.applications.ResNet101(weights=path)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError("The ImageNet weights are not available: {}", reason) from error


def _store(arrays: Arrays) -> Manifest:
    """Write the moved weights beside Keras' file, complete or not at all."""
    folder = converted_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        write_npz(arrays, unfinished / IMAGENET_MANIFEST.file, compress=False)
        digest = file_sha256(unfinished / IMAGENET_MANIFEST.file)
        write_manifest(dataclasses.replace(IMAGENET_MANIFEST, sha256=digest), unfinished)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return read_manifest(folder)


def load_imagenet(*, download: bool = True) -> tuple[Manifest, Arrays]:
    """The ImageNet weights: from the cache of moved ones, else from Keras' file, else downloaded.

    Args:
        download: Whether they may be fetched from the network.

    Raises:
        WeightsError: They are not on this machine and cannot be downloaded, or are damaged.
    """
    if (converted_folder() / MANIFEST_NAME).is_file():
        with contextlib.suppress(WeightsError):  # a damaged copy is made anew
            manifest = read_manifest(converted_folder())
            return manifest, read_arrays(manifest)
    arrays = move_from_keras(_published_network(download))
    try:
        return _store(arrays), arrays
    except OSError:  # read-only home or full disk: serve from memory, and move again next time
        return IMAGENET_MANIFEST, arrays
