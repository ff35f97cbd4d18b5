"""Every regular expression takes steps in proportion to its text, whatever the text is.

Steps are counted by a plain backtracking matcher over the standard library's own parse of the pattern, so that no
clock is asked.
"""

import ast
import re
import re._constants as op
import re._parser as parser
from pathlib import Path

import pytest

from resnet.photo import containers

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = {"compile", "sub", "subn", "search", "match", "fullmatch", "split", "findall", "finditer"}


def patterns():
    """All patterns that stand in the sources."""
    for path in [ROOT / "app.py", *sorted((ROOT / "resnet").rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            of_re = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FUNCTIONS
            if of_re and isinstance(node.func.value, ast.Name) and node.func.value.id == "re":
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}: a pattern made at run time"
                yield node.args[0].value


class Steps:
    """Searches a text for all matches and counts how often a character is looked at."""

    def __init__(self, pattern, text):
        self.text = text if isinstance(text, bytes) else [ord(letter) for letter in text]
        self.count = 0
        items, place = list(parser.parse(pattern, re.DOTALL)), 0
        while place <= len(self.text):
            end = next(self.match(items, place), None)
            place = max(place + 1, end or 0)

    def one(self, kind, value, place):
        """Whether a single character fits."""
        self.count += 1
        if place >= len(self.text):
            return False
        code = self.text[place]
        if kind is op.IN:
            fits = any(self.belongs(*entry, code) for entry in value if entry[0] is not op.NEGATE)
            return fits != (value[0][0] is op.NEGATE)
        return kind is op.ANY or (code == value) == (kind is op.LITERAL)

    @staticmethod
    def belongs(kind, value, code):
        if kind is op.RANGE:
            return value[0] <= code <= value[1]
        if kind is op.CATEGORY:
            letter = chr(code)
            return {
                op.CATEGORY_WORD: letter.isalnum() or letter == "_",
                op.CATEGORY_DIGIT: letter.isdecimal(),
                op.CATEGORY_SPACE: letter.isspace(),
                op.CATEGORY_NOT_SPACE: not letter.isspace(),
            }[value]
        return code == value

    def repeated(self, kind, value, place):
        """Where a repetition of single characters may end."""
        low, high, (inner,) = value
        assert inner[0] in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN), "a repeated group: judge it by hand"
        end = place
        while end - place < high and self.one(*inner, end):
            end += 1
        ends = range(place + low, end + 1)
        return ends if kind is op.MIN_REPEAT else reversed(ends)

    def match(self, items, place):
        """The ends of all matches of a list of items from a place, in the order of trying."""
        if not items:
            yield place
            return
        (kind, value), rest = items[0], items[1:]
        if kind is op.SUBPATTERN:
            yield from self.match([*value[-1], *rest], place)
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from self.match([*branch, *rest], place)
        elif kind is op.AT:
            self.count += 1
            if place == (0 if value is op.AT_BEGINNING else len(self.text)):
                yield from self.match(rest, place)
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            for one in self.repeated(kind, value, place):
                yield from self.match(rest, one)
        elif self.one(kind, value, place):
            yield from self.match(rest, place + 1)


def hostile_pieces(pattern):
    """Texts whose repetition makes a pattern begin to match again and again: its own characters and beginnings."""
    found = []

    def gather(items):
        for kind, value in items:
            if kind is op.LITERAL:
                found.append(value)
            elif kind is op.IN:
                found.extend(entry[1] for entry in value[:3] if entry[0] is op.LITERAL)
                found.extend(ord(" 0a"[kinds.index(entry[1])]) for entry in value if entry[1] in kinds)
            elif kind is op.SUBPATTERN:
                gather(value[-1])
            elif kind is op.BRANCH:
                gather(value[1][0])
            elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
                gather(value[2])

    kinds = [op.CATEGORY_SPACE, op.CATEGORY_DIGIT, op.CATEGORY_WORD]
    gather(parser.parse(pattern, re.DOTALL))
    found = found or [ord("a"), ord(" ")]
    pieces = [[one] for one in dict.fromkeys(found)] + [found[:end] for end in range(2, len(found) + 1)]
    return [bytes(piece) if isinstance(pattern, bytes) else "".join(map(chr, piece)) for piece in pieces]


def worst_growth(pattern):
    """How much more steps twice the text takes, for the worst of the hostile texts."""
    ends = (b"", b"\1") if isinstance(pattern, bytes) else ("", "\1")  # at which what has matched so far may fail

    def steps(piece, length, end):
        return Steps(pattern, piece * (length // len(piece)) + end).count

    return max(steps(piece, 800, end) / steps(piece, 400, end) for piece in hostile_pieces(pattern) for end in ends)


@pytest.mark.parametrize("pattern", [rb"\xff+([^\x00\xff])", "<a>.*?</a>", r"\s+$"])
def test_the_count_of_steps_shows_a_quadratic_pattern(pattern):
    assert worst_growth(pattern) > 3.5


def test_twice_the_text_takes_twice_the_steps():
    found = list(patterns())
    assert containers._JPEG_MARKER.pattern in found
    for pattern in found:
        assert worst_growth(pattern) < 2.2, pattern


def test_fill_bytes_before_a_marker_change_nothing():
    plain = b"\xff\xd8" + b"".join(b"\xff%c\0\4ab" % marker for marker in (0xE0, 0xE1, 0xFE)) + b"\xff\xda\0\2"
    filled = plain.replace(b"\xff", b"\xff" * 5)
    expected = [marker for marker, _ in containers._segments(plain, 2)]
    assert expected == [0xE0, 0xE1, 0xFE, 0xDA]
    assert [marker for marker, _ in containers._segments(filled, 10)] == expected


def test_docstrings_say_what_a_thing_is_or_does():
    """Not “What …” or “Whether …”: a verb in the imperative, or a noun phrase."""
    begins = re.compile(r"(What|Whether|Let|Who|Which|Where|When|How|That)\b")
    found = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
        for path in sorted((ROOT / "resnet").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and begins.match(ast.get_docstring(node) or "")
    ]
    assert found == []
