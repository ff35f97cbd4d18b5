"""Checks the unpacked size of weight files against the network before anything is unpacked.

A file of 100 kB can unpack to gigabytes, name files elsewhere on the machine, or call itself an array of any shape.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from resnet.network.manifest import Manifest
from resnet.stages import block_table, head_parameters

_MEMBER_BYTES = 1_024
"""Of each array for its header, and of each file of text in an archive for what it may say beside numbers."""

_TEXT_BYTES = 16_000_000
"""For what a `.keras` file says in words: its configuration, which is not read."""

_COPIES = 4
"""The numbers of a network that Keras has saved together with those of its optimizer, and room."""

_NPZ_PARTS = ("kernel", "kernel_scale", "bias", "gamma", "beta", "moving_mean", "moving_variance")


def parameters_of(manifest: Manifest) -> int:
    """Return how many numbers the network of a manifest has at most, without building it."""
    return sum(block.parameters for block in block_table(manifest.depth)) + head_parameters(manifest.classes)


def check_npz(path: Path, manifest: Manifest) -> None:
    """Check the arrays of an `.npz` by what they say of themselves.

    Raises:
        ValueError: They are more, or larger, than those of the network, or one is of another kind.
        zipfile.BadZipFile: It is not an archive.
    """
    most = 4 * parameters_of(manifest)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_packing(members)
        _check_size(sum(max(0, member.file_size - _MEMBER_BYTES) for member in members), most)
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name.rpartition("/")[2] not in _NPZ_PARTS:
                raise ValueError(f"it holds {name!r}, which this network does not have.")
            with archive.open(member) as file:
                shape, kind = _array_header(file)
                size = file.tell() + int(np.prod(shape, dtype=object)) * kind.itemsize
            if kind.kind not in "fi":
                raise ValueError(f"{name!r} holds no numbers but {kind}.")
            if size != member.file_size:
                raise ValueError(f"{name!r} says that it has shape {shape} of {kind}, which its size contradicts.")


def _check_packing(members: Iterable[zipfile.ZipInfo]) -> None:
    """Refuse methods of packing that give more than a member says of its size, however little of it is wanted."""
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{member.filename!r} is packed by a method that weights do not use.")


def _array_header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(file)
    return shape, kind


def check_keras(path: Path, manifest: Manifest) -> None:
    """Check the arrays of a `.keras` or `.weights.h5` file.

    Raises:
        ValueError: They are more, or larger, than those of the network, or lie in another file.
        OSError: It is not such a file.
    """
    most = _COPIES * 4 * parameters_of(manifest)
    if path.suffix != ".keras":
        _check_hdf5(path, most)
        return
    with zipfile.ZipFile(path) as archive:
        _check_packing(archive.infolist())
        _check_size(sum(member.file_size for member in archive.infolist()), most + _TEXT_BYTES)
        with archive.open("model.weights.h5") as file:
            _check_hdf5(file, most)


def _check_hdf5(file: Any, most: int) -> None:
    seen: set[int] = set()
    total = 0

    def visit(group: h5py.Group) -> None:
        nonlocal total
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"it names another file or place as {name!r}.")
            item = group[name]
            place = h5py.h5o.get_info(item.id).addr
            if place in seen:  # or a few of them, each twice in the one before, would be as many as one likes
                raise ValueError(f"it holds {name!r} in two places.")
            seen.add(place)
            if isinstance(item, h5py.Group):
                visit(item)
                continue
            total += _size_of(name, item)
            _check_size(total, most)

    with h5py.File(file, "r") as stored:
        visit(stored)


def _size_of(name: str, item: Any) -> int:
    """Bytes of a data set, which takes as many of its file: neither packed nor elsewhere."""
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        raise ValueError(f"{name!r} holds no numbers.")
    if item.external or item.is_virtual:
        raise ValueError(f"the numbers of {name!r} lie in another file.")
    if item.chunks is not None:
        raise ValueError(f"{name!r} is packed, which those of Keras are not.")
    return int(item.nbytes)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"it unpacks to {size / 1e6:,.0f} MB; this network has at most {most / 1e6:,.0f} MB.")
