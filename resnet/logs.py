"""Lines of the log that nothing from outside can forge: libraries write what they are asked for as it came."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator

from resnet.text import escaped

_GREETING = re.compile(rb"[IWE]\d{4} |WARNING: All log messages before absl|To enable the following instructions:")
"""TensorFlow's lines about graphics cards and instructions; no setting of its own stops all of them."""


class SafeFormatter(logging.Formatter):
    """Formats a record in one line, whatever its message holds; a traceback's lines follow, each escaped as well."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        plain = logging.makeLogRecord({**record.__dict__, "msg": escaped(record.getMessage()), "args": None})
        return "\n".join(map(escaped, super().format(plain).split("\n")))


def write_logs(level: int, style: str = "%(message)s") -> None:
    """Send the log messages of all libraries to stderr from a level on.

    Args:
        level: Such as `logging.INFO`.
        style: Of a line, as `logging.Formatter` takes it.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(SafeFormatter(style))
    logging.basicConfig(level=level, handlers=[handler])
    # It says where it keeps its fonts if the user's home cannot be written to, as in a container.
    logging.getLogger("matplotlib").setLevel(max(level, logging.ERROR))


@contextlib.contextmanager
def without_greetings() -> Iterator[None]:
    """Keep off the terminal what TensorFlow says of itself as it starts; all else that is written comes at the end."""
    sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # closed by the caller: nothing can be written there anyway
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            held.seek(0)
            for line in held:
                if not _GREETING.match(line):
                    os.write(terminal, line)
            os.close(terminal)
