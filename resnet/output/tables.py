"""Tables as CSV files (RFC 4180) that spreadsheets open as they are, whatever stands in them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# At the start, and also behind what other spreadsheets than those that take commas begin a cell with; blanks and
# quotes between that and the sign are no part of the cell. The second group is the guard, where there is one.
_FORMULA = re.compile(
    r"(^|[;\t\r\n])('?)"
    r"([\"' \x0b\x0c\x1c-\x1f\x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000]*[=+\-@＝＋－＠])"
)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table in UTF-8 with a byte order mark, by which Excel knows it, every field in quotes.

    What a spreadsheet could take for a formula gets an apostrophe in front, also behind blanks, a line break or a
    semicolon, see https://owasp.org/www-community/attacks/CSV_Injection. Numbers stay as they are.

    Args:
        path: The file, which is replaced.
        columns: Names, in order.
        rows: Values by column; others are left out, missing ones are empty.

    Raises:
        OSError: It cannot be written.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore", quoting=csv.QUOTE_ALL)
        table.writeheader()
        table.writerows({key: guarded(value) for key, value in row.items()} for row in rows)


def guarded(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula."""
    return _FORMULA.sub(r"\1'\2\3", value) if isinstance(value, str) else value


def unguarded(text: str) -> str:
    """Return a text as it was before `guarded`."""
    return _FORMULA.sub(r"\1\3", text)
