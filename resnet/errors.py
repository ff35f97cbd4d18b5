"""The one tree of errors that a user can cause and mend.

Every message is a whole sentence that names the input, the rule and what was received, fit to be
shown to the person as it is. Whatever is not one of these is a defect of the program. What is done otherwise than a
user may expect is said in a note.
"""

from __future__ import annotations

from dataclasses import dataclass

from resnet.text import escaped


class ResNetError(Exception):
    """Base of all errors that this package raises on purpose.

    Attributes:
        template: The sentence with `{}` where values go, as in `str.format`: what is translated.
        values: What goes there.
    """

    def __init__(self, template: str, *values: object) -> None:
        """Put the sentence together.

        Args:
            template: The sentence, with `{}` for each value; without values it is taken as it is.
            values: What the sentence names.
        """
        self.template = template
        self.values = values
        # It may name a file, or repeat what stands in one: nothing in it may steer a terminal or forge a line.
        super().__init__(escaped(template.format(*values) if values else template))


class ImageError(ResNetError):
    """A photo cannot be read, or breaks a limit."""


class WeightsError(ResNetError):
    """Weights or their manifest are missing, damaged or do not fit the network."""


class DataError(ResNetError):
    """A data set is empty, has an unknown layout or does not match the weights."""


class OptionError(ResNetError):
    """An option is unknown or outside its range."""


@dataclass(frozen=True)
class Note:
    """Something that a user should know about a result, such as that a colour profile is not used.

    Attributes:
        template: The text with `{}` where values go, as in `str.format`: what is translated.
        values: What goes there.
    """

    template: str
    values: tuple[object, ...] = ()

    def __str__(self) -> str:
        """Return the whole text, in English."""
        return escaped(self.template.format(*self.values) if self.values else self.template)
