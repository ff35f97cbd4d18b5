"""See what a ResNet sees: top-k classes and the feature maps C1 to C5 of a photo.

    photo = resnet.read_photo("cat.jpg")
    answer = resnet.observe(photo, resnet.load_engine("bundled"))
    answer.predictions(5), answer.heatmaps(resnet.ViewOptions())

Importing this package loads neither TensorFlow nor Gradio; the names above load what they need on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnet.errors import ResNetError
    from resnet.maps.heatmaps import ViewOptions
    from resnet.maps.observation import observe
    from resnet.network.sources import load_engine
    from resnet.photo.images import read_photo

__version__ = "0.1.0"
__all__ = ["ResNetError", "ViewOptions", "load_engine", "observe", "read_photo"]

_MODULES = {
    "ResNetError": "errors",
    "ViewOptions": "maps.heatmaps",
    "load_engine": "network.sources",
    "observe": "maps.observation",
    "read_photo": "photo.images",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
