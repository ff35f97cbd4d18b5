"""Memory that an answer needed goes back to the system, where glibc is the C library.

See mallopt(3) and malloc_trim(3); elsewhere nothing is done. `benchmarks.memory` measures what is left.
"""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1


def keep_little() -> None:
    """Once at the start: few heaps, and fixed sizes from which memory goes back at once.

    By itself glibc gives each of some forty threads a heap of its own, and raises the size from which memory goes
    back to that of the largest picture. A single photo's activations must stay below that size, or each layer waits
    for fresh pages: at 1 MB a pass took 1.4 times as long.
    """
    if library := _glibc():
        library.mallopt(_ARENA_MAX, 2)
        library.mallopt(_MMAP_THRESHOLD, 4_000_000)
        library.mallopt(_TRIM_THRESHOLD, 16_000_000)


def give_back() -> None:
    """From time to time: give back the free pages between what is in use, of which every photo leaves some."""
    if library := _glibc():
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
