"""`info`: stages, costs, and the weights with their manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet.cli.arguments import add_weights, json_text
from resnet.logs import without_greetings
from resnet.network.manifest import Manifest, read_manifest, verify
from resnet.network.sources import BUNDLED, SOURCES
from resnet.stages import block_table, head_multiply_accumulates, head_parameters, stage_table
from resnet.text import escaped


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("info", help="stages, costs, and the weights with their manifest")
    add_weights(parser)
    parser.add_argument("--all-blocks", action="store_true", help="every residual block, not only the stages")
    parser.set_defaults(run=_info)


def _info(options: argparse.Namespace) -> int:
    manifest = _manifest_of(options.weights)
    size = manifest.input.size
    table = block_table(manifest.depth, (size, size), manifest.stem_pool)
    head = head_multiply_accumulates(manifest.classes)
    parameters = sum(block.parameters for block in table) + head_parameters(manifest.classes)
    costs = sum(block.multiply_accumulates for block in table) + head
    print(f"ResNet{manifest.depth}, input {size}×{size} px, {manifest.classes} classes")
    print(f"parameters {parameters:,}, multiply-accumulates {costs / 1e9:.2f} billion a photo\n")
    print(f"{'name':<16}{'shape':<16}{'stride':>7}{'field':>7}{'million MACs':>14}{'parameters':>13}")
    rows = table if options.all_blocks else stage_table(table)
    for block in rows:
        members = [block] if options.all_blocks else [one for one in table if one.stage == block.stage]
        shape = "×".join(map(str, block.shape))
        cost = sum(one.multiply_accumulates for one in members) / 1e6
        numbers = sum(one.parameters for one in members)
        name = block.name if options.all_blocks else block.stage
        print(f"{name:<16}{shape:<16}{block.stride:>7}{block.receptive_field:>7}{cost:>14,.1f}{numbers:>13,}")
    print(f"{'head':<16}{manifest.classes:<16}{'':>14}{head / 1e6:>14,.1f}{head_parameters(manifest.classes):>13,}")
    place = manifest.weights_path if manifest.sha256 else "loaded by Keras when they are first used"
    print(f"\nweights: {escaped(str(place))}")
    # JSON escapes the control characters of ASCII alone.
    print("\n".join(map(escaped, json_text(manifest.to_json(), indent=2).split("\n"))))
    return 0


def _manifest_of(choice: str) -> Manifest:
    """The manifest of the weights that `load_engine` would take, verified where their file is here."""
    if choice in ("auto", "imagenet"):
        with without_greetings():
            from resnet.network.imagenet import IMAGENET_MANIFEST, converted_folder, is_cached

        if converted_folder().exists():
            return _verified(converted_folder())
        if choice == "imagenet" or is_cached():
            return IMAGENET_MANIFEST
    return _verified(BUNDLED if choice in SOURCES else Path(choice))


def _verified(path: Path) -> Manifest:
    manifest = read_manifest(path)
    verify(manifest)
    return manifest
