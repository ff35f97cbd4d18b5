"""Lines of the log that nothing from outside can forge: libraries write what they are asked for as it came."""

from __future__ import annotations

import logging

from resnet.text import escaped


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
