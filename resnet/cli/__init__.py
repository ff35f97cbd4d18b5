"""From the words of `python -m resnet COMMAND` to lines on the terminal and files; one module a command.

It knows neither the page nor how anything is computed, and loads TensorFlow only for commands that need it.
"""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Sequence

from resnet import __version__
from resnet.cli import batch, classify, compare, elsewhere, evaluate, evidence, export, hide, info, train
from resnet.cli.arguments import leave_output
from resnet.errors import ImageError, ResNetError
from resnet.logs import write_logs
from resnet.text import escaped


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Words after the program's name; those of the process by default.

    Returns:
        0 if all went well, 1 if photos failed, 2 for wrong usage, weights that do not load, or a result that cannot
        be written.
    """
    write_logs(logging.WARNING, "resnet: %(message)s")
    # None where the caller has closed it.
    sys.stdout, sys.stderr = sys.stdout or io.StringIO(), sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names and bars on any terminal
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except ResNetError as error:
        print(f"resnet: {error}", file=sys.stderr)
        return 1 if isinstance(error, ImageError) else 2
    except BrokenPipeError:
        leave_output()
        return 1
    except OSError as error:
        place = f" ({escaped(str(error.filename))})" if error.filename else ""
        print(f"resnet: Reading or writing failed: {error.strerror or error}{place}.", file=sys.stderr)
        leave_output()
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m resnet", description="See what a ResNet101 sees: top-k classes and feature maps C1 to C5."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (classify, evidence, hide, elsewhere, compare, batch, train, evaluate, export, info):
        command.add_command(commands)
    return parser
