"""A flight through the network: the photo's map after the stem and after each residual block, as pictures and a GIF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from resnet.maps.channels import BlockTrace
from resnet.maps.heatmaps import Heatmap, ViewOptions, make_heatmaps
from resnet.maps.observation import Observation

FRAME_SIDE = 384
MILLISECONDS = 300
"""A frame is shown for; the last one stays three times as long."""

_LINE_PIXELS, _LETTER_PIXELS = 22, 13


@dataclass(frozen=True)
class Frame:
    """The map after one block.

    Attributes:
        heatmap: The map.
        picture: The map over the photo, RGB, at most `FRAME_SIDE` pixels on its longer side.
    """

    heatmap: Heatmap
    picture: Image.Image

    @property
    def caption(self) -> str:
        """Stage, block and shape, such as "C3 · conv3_block2 · 16×16×512"."""
        block = self.heatmap.block
        return f"{block.stage} · {block.name} · {'×'.join(map(str, block.shape))}"


def fly_through(observation: Observation, trace: BlockTrace, view: ViewOptions) -> tuple[Frame, ...]:
    """Draw the map after the stem and after each residual block.

    Args:
        observation: Of the photo.
        trace: Of the same photo, by the same network.
        view: How channels become one map, and its colours; each map on its own scale, or all on one.
    """
    heatmaps = make_heatmaps(trace.outputs, trace.blocks, view)
    return tuple(Frame(heatmap, observation.overlay(heatmap, view, FRAME_SIDE)) for heatmap in heatmaps)


def gif(frames: Sequence[Frame]) -> bytes:
    """Encode a flight as an endless GIF, with each frame's caption below the picture.

    Args:
        frames: At least one.
    """
    pictures = [_captioned(frame) for frame in frames]
    durations = [MILLISECONDS] * (len(pictures) - 1) + [3 * MILLISECONDS]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=False
    )
    return buffer.getvalue()


def _captioned(frame: Frame) -> Image.Image:
    width, height = frame.picture.size
    canvas = Image.new("RGB", (width, height + _LINE_PIXELS), "black")
    canvas.paste(frame.picture)
    place, font = (6, height + _LINE_PIXELS // 2), ImageFont.load_default(_LETTER_PIXELS)
    ImageDraw.Draw(canvas).text(place, frame.caption, fill="white", anchor="lm", font=font)
    # Colours of its own, since the maps share none. Median cut takes eighty times as long and loses rare, strong ones.
    return canvas.quantize(256, method=Image.Quantize.FASTOCTREE)
