"""The one tree of errors that a user can cause and mend.

Every message is a whole sentence that names the input, the rule and what was received, fit to be
shown to the person as it is. Whatever is not one of these is a defect of the program.
"""


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
        super().__init__(template.format(*values) if values else template)


class ImageError(ResNetError):
    """A photo cannot be read, or breaks a limit."""


class WeightsError(ResNetError):
    """Weights or their manifest are missing, damaged or do not fit the network."""


class DataError(ResNetError):
    """A data set is empty, has an unknown layout or does not match the weights."""


class OptionError(ResNetError):
    """An option is unknown or outside its range."""
