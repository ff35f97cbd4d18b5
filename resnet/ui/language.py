"""The page's languages: English sentences are the keys, a catalogue gives the others.

A catalogue is a file in `assets/locale`. In a translation `{}` stand in the order of the English ones, or say by number
which value they take.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from resnet.errors import Note, ResNetError
from resnet.network.labels import ASSETS
from resnet.network.levels import names_in


@dataclass(frozen=True)
class Language:
    """One language: call it with an English sentence to get that sentence in it.

    Attributes:
        code: As in HTML's `lang`.
        name: Of the language, in the language.
        route: Of the page in that language, below the server's address.
        catalogue: English sentence → the same in the language; names of options are in it, too.
        names: WordNet id → name of the class, or of the kind above it, in the language.
    """

    code: str
    name: str
    route: str
    catalogue: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    names: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def __call__(self, sentence: str, *values: object) -> str:
        """The sentence in this language.

        Args:
            sentence: In English, with `{}` for each value, as in `str.format`.
            values: What goes there, as it is; words of the page must be translated before.
        """
        template = self.catalogue.get(sentence, sentence)
        return template.format(*values) if values else template

    def named(self, wnid: str, name: str) -> str:
        """Return a class's name in this language; classes without a WordNet id keep their own.

        Args:
            wnid: WordNet id of the class or of a kind above it; may be empty.
            name: In English, or as the network's owner has written it.
        """
        return self.names.get(wnid, name)

    def error(self, error: ResNetError | Note) -> str:
        """Return what an error or a note says, in this language; the names of options in it are translated as well.

        A file is named without its folder: visitors need not know where the server keeps it.
        """
        return self(error.template, *map(self._word, error.values))

    def _word(self, value: object) -> object:
        if isinstance(value, ResNetError):
            return self.error(value)
        if isinstance(value, PurePath):
            return value.name
        if isinstance(value, OSError):
            return value.strerror or type(value).__name__
        return self.catalogue.get(value, value) if isinstance(value, str) else value


def _catalogue(code: str) -> dict[str, str]:
    text = (ASSETS / "locale" / f"{code}.json").read_text(encoding="utf-8")
    return {str(sentence): str(translation) for sentence, translation in json.loads(text).items()}


ENGLISH = Language("en", "English", "")
LANGUAGES = (ENGLISH, Language("zh", "中文", "zh", _catalogue("zh"), names_in("zh")))
