"""Millions of photos: top-k classes and pooled features as Parquet, on one machine or a cluster, by Ray Data.

Work goes in portions. A portion is written beside the result and moved into it when it is whole, so
that a run that was ended at any moment goes on where it was and writes nothing twice:

    <out>/_plan.json            what is to be done, by which weights
    <out>/part-00000/*.parquet  a finished portion; PyArrow, pandas and DuckDB read <out> as one table
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet.errors import DataError, ImageError, OptionError, ResNetError
from resnet.network.manifest import Manifest, read_manifest
from resnet.network.sources import BUNDLED, load_engine, settled_choice
from resnet.output.export import check_outside
from resnet.output.portions import BatchOptions, Portion, check_plan, find_portions, make_plan, part_of
from resnet.photo.images import read_photo
from resnet.photo.preprocess import prepare

if TYPE_CHECKING:
    import pyarrow as pa

PENDING_NAME = "_pending"
ROOT = Path(__file__).resolve().parent.parent.parent


def result_schema() -> pa.Schema:
    """The columns of the result: `features` is C5 averaged over its cells, empty where there is an `error`."""
    import pyarrow as pa

    return pa.schema([
        ("path", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("wnids", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float32())),
        ("features", pa.list_(pa.float32())),
        ("error", pa.string()),
    ])  # fmt: skip


class Classifier:
    """A worker: one network that answers batch after batch."""

    def __init__(self, weights: str, options: BatchOptions) -> None:
        """Load the weights, once per worker."""
        self._engine = load_engine(weights)
        self._options = options

    def __call__(self, batch: Mapping[str, Any]) -> pa.Table:
        """Answer photos.

        Args:
            batch: `path` names, as bytes where they are names of files, and `content` bytes where the photos come
                with the table.

        Returns:
            Rows of `result_schema` in the same order.
        """
        import pyarrow as pa

        names = [os.fsdecode(name) if isinstance(name, bytes) else str(name) for name in batch["path"]]
        sources = [_content(one) for one in batch["content"]] if "content" in batch else names
        rows: list[dict[str, Any]] = []
        waiting: list[tuple[dict[str, Any], np.ndarray]] = []
        for name, source in zip(names, sources, strict=True):
            written = os.fsencode(name).decode("utf-8", "replace")  # a file system has names that a table cannot have
            row: dict[str, Any] = {"path": written, "labels": [], "wnids": [], "probabilities": [], "features": []}
            rows.append(row)
            try:
                if source is None:
                    raise ImageError("{} has no content.", name)
                photo = read_photo(source, Path(name).name)
                ready = prepare(photo.image, self._engine.manifest.input, self._options.framing, photo.size)
                waiting.append((row, ready.pixels))
            except ResNetError as error:
                row["error"] = str(error)
        for group in _of_one_shape(waiting, self._options.batch_size):
            self._answer(group)
        return pa.Table.from_pylist(rows, schema=result_schema())

    def _answer(self, group: Sequence[tuple[dict[str, Any], np.ndarray]]) -> None:
        found = self._engine.run(np.stack([pixels for _, pixels in group]))
        features = found.maps["C5"].mean(axis=(1, 2))
        labels = self._engine.manifest.labels
        for (row, _), probabilities, own in zip(group, found.probabilities, features, strict=True):
            order = np.argsort(-probabilities, kind="stable")[: self._options.top_k]
            row["labels"] = [labels[index].name for index in order]
            row["wnids"] = [labels[index].wnid for index in order]
            row["probabilities"] = probabilities[order].tolist()
            row["features"] = own.tolist()


def _content(value: Any) -> bytes | None:
    """The bytes of a cell, which may be a structure with `bytes` in it, as the Hub's data sets have."""
    if isinstance(value, Mapping):
        value = value.get("bytes")
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else None


def _of_one_shape(
    waiting: Sequence[tuple[dict[str, Any], np.ndarray]], size: int
) -> Iterator[list[tuple[dict[str, Any], np.ndarray]]]:
    shapes: dict[tuple[int, ...], list[tuple[dict[str, Any], np.ndarray]]] = {}
    for entry in waiting:
        shapes.setdefault(entry[1].shape, []).append(entry)
    for group in shapes.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]


def run_batch(
    sources: Sequence[Path],
    out: Path,
    options: BatchOptions,
    address: str | None = None,
    notes: list[str] | None = None,
) -> Iterator[tuple[int, int]]:
    """Answer everything that is not answered yet.

    Args:
        sources: See `find_portions`.
        out: Folder of the result; one with a part of the same work in it goes on.
        options: How to answer.
        address: Of a Ray cluster that runs already; None starts one on this machine.
        notes: Gets sentences about files that are left out, before the first portion.

    Yields:
        (finished portions, all portions), first as found, then after each.

    Raises:
        OptionError: Ray is not installed, or `out` holds other work.
        DataError: There is nothing to do, or a Parquet file lacks the column.
        WeightsError: The weights are not available.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise OptionError("Many photos at once need Ray: python -m pip install -r requirements-batch.txt") from error
    portions = find_portions(sources, options.portion, notes)
    for source in sources:
        check_outside(out, source)
    weights, manifest = _settle(options.weights)
    check_plan(out, make_plan(portions, manifest, options))
    missing = [number for number in range(len(portions)) if not part_of(out, number).exists()]
    yield len(portions) - len(missing), len(portions)
    if not missing:
        return
    _start_ray(ray, address, options.workers)
    for done, number in enumerate(missing, start=1):
        _write_portion(ray, portions[number], part_of(out, number), weights, options)
        yield len(portions) - len(missing) + done, len(portions)


def count_rows(out: Path) -> tuple[int, int]:
    """Photos in a result, and those among them that could not be read."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    rows = ds.dataset(str(out), format="parquet")
    return rows.count_rows(), rows.count_rows(filter=~pc.field("error").is_null())


def _settle(choice: str) -> tuple[str, Manifest]:
    """A choice that means the same to every worker, and the manifest that goes with it."""
    choice = settled_choice(choice)
    if choice == "imagenet":
        return choice, load_engine(choice).manifest  # moved once, before the workers want them
    return choice, read_manifest(BUNDLED if choice == "bundled" else Path(choice))


def _start_ray(ray: Any, address: str | None, workers: int) -> None:
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # The workers must find this package wherever the command was started.
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    ray.init(
        address=address,
        include_dashboard=False if address is None else None,
        # A place for each worker, and some for the tasks that read and write: or they would wait for ever.
        num_cpus=workers + 2 if address is None else None,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}},
    )
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    ray.data.DataContext.get_current().execution_options.preserve_order = True


def _write_portion(ray: Any, portion: Portion, target: Path, weights: str, options: BatchOptions) -> None:
    pending = target.parent / PENDING_NAME
    shutil.rmtree(pending, ignore_errors=True)
    try:
        data = _read(ray, portion, options)
        data.map_batches(
            Classifier,
            fn_constructor_args=(weights, options),
            batch_size=options.batch_size,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=options.workers),
            num_cpus=1,
        ).write_parquet(str(pending))
    except ray.exceptions.RayError as error:
        raise DataError("The portion {} failed: {}", target.name, _reason(error)) from error
    for leftover in pending.rglob("*"):
        if leftover.is_file() and leftover.suffix != ".parquet":
            leftover.unlink()
    pending.mkdir(exist_ok=True)  # where there was not a row
    pending.replace(target)


def _reason(error: BaseException) -> str:
    """Return the error of a worker without Ray's text around it."""
    while isinstance(inner := getattr(error, "cause", None) or error.__cause__, BaseException):
        error = inner
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _read(ray: Any, portion: Portion, options: BatchOptions) -> Any:
    if not portion.parquet:
        blocks = max(1, min(len(portion.photos) // options.batch_size, 4 * options.workers))
        paths = [{"path": os.fsencode(path)} for path in portion.photos]
        return ray.data.from_items(paths, override_num_blocks=blocks)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        known = pq.read_schema(portion.parquet).names
    except (OSError, pa.ArrowException) as error:
        raise DataError("{} cannot be read as Parquet: {}.", portion.parquet, error) from error
    for column in (options.column, options.name_column):
        if column not in known:
            raise DataError("{} has no column {!r}; it has {}.", portion.parquet, column, ", ".join(known))
    data = ray.data.read_parquet(portion.parquet).select_columns([options.column, options.name_column])
    return data.rename_columns({options.column: "content", options.name_column: "path"})
