"""A bound on how often and how much of a file is read, whatever the format."""

from __future__ import annotations

import io

READS = {b"GIF8": 5_000, b"BM": 2_000_000, b"": 400_000}
"""By how a file begins. Pillow joins a GIF's comment piece by piece, which takes the square of their number,
and reads each run of a BMP on its own, which takes little.
"""


class ExcessError(Exception):
    """A file that asks for more work than any photo needs."""


class MeteredBytes(io.BytesIO):
    """A file in memory that can be read only so often and so much.

    This bounds every loop over a file in Pillow's Python code, whatever the format.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._reads = next(count for start, count in READS.items() if content.startswith(start))
        self._bytes = 8 * len(content) + 1_000_000

    def read(self, size: int | None = -1, /) -> bytes:  # noqa: D102 - as of any file
        data = super().read(size)
        self._reads -= 1
        self._bytes -= len(data)
        if self._reads < 0 or self._bytes < 0:
            raise ExcessError
        return data
