"""Text from elsewhere: how files are decoded, which names are equal, and what may go to a terminal, a log or a list."""

from __future__ import annotations

import codecs
import unicodedata

JOINERS = "\u200c\u200d"  # of letters and pictures that are shown as one


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(content: bytes) -> str:
    """Decode a text file as editors of Windows, macOS and Linux write them: by its byte order mark, else as UTF-8.

    Raises:
        UnicodeDecodeError: It is neither.
    """
    return content.decode(next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8"))


def composed(name: str) -> str:
    """Return a name with composed characters (Unicode's form NFC); macOS often decomposes those of files."""
    return unicodedata.normalize("NFC", name)


def key_of(name: str) -> str:
    """Return what two names have in common that are equal but for capitals and composition."""
    return composed(composed(name).casefold())


def loose_key_of(name: str) -> str:
    """Return what two names have in common that are equal but for capitals, hyphens, underscores and blanks."""
    return " ".join(key_of(name).replace("_", " ").replace("-", " ").split())


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
