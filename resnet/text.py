"""Text from elsewhere: file names, class names, manifests. What of it may go to a terminal, a log or a list."""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"  # of letters and pictures that are shown as one


def is_printable(text: str) -> bool:
    """Tell whether a text has no line breaks, escapes and the like, which could forge output.

    Python counts all blanks but one as such, of which names have several: Chinese keyboards write the wide one, macOS
    puts a narrow one into the names of screenshots.
    """
    return all(map(_is_printable, text))


def printable(name: str) -> str:
    """Return a name with a sign in place of each character that is not printable."""
    return "".join(letter if _is_printable(letter) else "\N{REPLACEMENT CHARACTER}" for letter in name)


def escaped(text: str) -> str:
    r"""Return a text with each character that is not printable as Python writes it, such as `\x1b`."""
    return "".join(letter if _is_printable(letter) else ascii(letter)[1:-1] for letter in text)


def _is_printable(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs" or letter in JOINERS
