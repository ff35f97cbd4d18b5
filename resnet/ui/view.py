"""Values of the view's controls: how maps are shown, and updates that leave a value alone."""

from __future__ import annotations

from typing import Any

import gradio as gr

from resnet.maps.heatmaps import ViewOptions
from resnet.options import number


def setting(current: Any, value: Any, **settings: Any) -> dict[str, Any]:
    """An update of a control that leaves its value alone where that is right: a visitor may change it meanwhile.

    Args:
        current: What it said when the event came.
        value: What it is to say.
        settings: What else to change.
    """
    update: dict[str, Any] = gr.update(**settings, **({} if value == current else {"value": value}))
    return update


def view_options(
    aggregation: str, channel: Any, colormap: str, scale: str, opacity: Any, smooth: bool, cut: Any
) -> ViewOptions:
    """The view that the page's controls describe; the channel's number counts only while it is to be seen.

    Raises:
        OptionError: A number is missing or outside its range.
    """
    share = number("opacity in percent", opacity, 0, 100) / 100
    above = number("cut in percent", cut, 0, 100) / 100
    return ViewOptions(aggregation, channel if aggregation == "channel" else 0, colormap, share, scale, smooth, above)


def unfinished(aggregation: str = "", channel: Any = 0, **others: Any) -> bool:
    """Return True if a visible number field of the view is still empty."""
    return None in others.values() or (channel is None and aggregation == "channel")


def or_initial(value: Any, control: Any) -> Any:
    """Return the value of a control, or its initial value while its number field is empty."""
    return control.value if value is None else value


def drawing_options(colormap: str, opacity: Any, smooth: bool, cut: Any) -> ViewOptions:
    """Return the view options of the drawing controls, for maps that do not aggregate channels."""
    return view_options("mean", 0, colormap, "each", opacity, smooth, cut)
