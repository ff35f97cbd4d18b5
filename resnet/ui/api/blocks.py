"""The endpoints about blocks, stages and cells: channels, a flight, a look inside, parts, the same elsewhere."""

# Annotations are no strings here: Gradio reads what each endpoint returns from them.

from typing import Any, Literal

import gradio as gr

from resnet.maps.channels import rank_channels
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.inside import MEAN
from resnet.maps.parts import draw_parts
from resnet.network.labels import EXAMPLES
from resnet.options import number, one_of, whole_number
from resnet.output.blocks import channels_dictionary
from resnet.output.elsewhere import elsewhere_dictionary
from resnet.output.flight import fly_through, gif
from resnet.output.inside import inside_dictionary, worked_dictionary
from resnet.output.parts import parts_dictionary
from resnet.stages import STAGE_NAMES
from resnet.ui.api.base import Base, Colormap, Framing, Stage
from resnet.ui.api.results import Result, file_of, origin_of, pictures_of
from resnet.ui.files import store
from resnet.ui.markup import LARGE_SIDE, STRIP_SIDE
from resnet.ui.uploads import photo_path

FLOWN_MAPS = ("mean", "max", "l2")


class BlockEndpoints(Base):
    """Their docstrings are shown to programs and language models."""

    async def channels(
        self,
        photo: gr.FileData | None,
        stage: Stage = "C5",
        block: int | None = None,
        order: Literal["mean", "max", "contribution"] = "mean",
        class_name: str = "",
        count: int = 16,
        framing: Framing = "crop",
        weights: str = "server",
    ) -> tuple[Result, list[Result]]:
        """Show the most active channels of any block of a ResNet for a photo, and what each block changes.

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            stage: C1 to C5.
            block: Block of the stage from 1; empty for its last block.
            order: Most active by "mean" or "max" activation, or by "contribution" to a class.
            class_name: Name or WordNet id of that class; empty for the likeliest.
            count: Number of channels, 4 to 64.
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
        """

        def work() -> tuple[Result, list[Result]]:
            one_of("stage", stage, STAGE_NAMES)
            shown, observation = self._observe(photo, framing, weights)
            trace = self._explorer.blocks(shown)
            place = trace.place(stage, len(trace.of_stage(stage)) if block is None else block)
            contributions, target = None, None
            if order == "contribution":
                target = self._class(observation, class_name)
                contributions = self._explorer.evidence(shown, (target,)).contributions[place][0]
            ranked = [int(channel) for channel in rank_channels(trace.outputs[place], order, count, contributions)]
            result = {
                **origin_of(observation),
                "order": order,
                "class": None if target is None else observation.manifest.labels[target].name,
                **channels_dictionary(trace, place, ranked, contributions),
            }
            view = ViewOptions()
            pictures = [
                (observation.overlay(trace.heatmap(place, channel), view, STRIP_SIDE), f"channel {channel}")
                for channel in ranked
            ]
            return result, pictures_of(pictures)

        return await self._answer(work)

    async def flight(
        self,
        photo: gr.FileData | None,
        map: Literal["mean", "max", "l2"] = "mean",  # noqa: A002 - the endpoint's public parameter
        colormap: Colormap = "turbo",
        framing: Framing = "crop",
        weights: str = "server",
    ) -> tuple[Result, gr.FileData]:
        """Fly through a ResNet: the feature map after each of its blocks over a photo, as an animated GIF.

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            map: How the channels of a block become one map: "mean", "max" or "l2".
            colormap: "turbo", "viridis", "magma", "inferno", "cividis" or "gray".
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
        """

        def work() -> tuple[Result, Any]:
            view = ViewOptions(one_of("map", map, FLOWN_MAPS), colormap=colormap)
            shown, observation = self._observe(photo, framing, weights)
            frames = fly_through(observation, self._explorer.blocks(shown), view)
            result = {
                **origin_of(observation),
                "map": map,
                "blocks": [
                    {
                        "name": frame.heatmap.block.name,
                        "stage": frame.heatmap.block.stage,
                        "shape": list(frame.heatmap.block.shape),
                        "min": frame.heatmap.minimum,
                        "max": frame.heatmap.maximum,
                    }
                    for frame in frames
                ],
            }
            return result, file_of(store(gif(frames), "flight.gif"))

        return await self._answer(work)

    async def inside(
        self,
        photo: gr.FileData | None,
        stage: Stage = "C4",
        block: int | None = None,
        channel: int = MEAN,
        step: str = "",
        row: int = 0,
        column: int = 0,
        framing: Framing = "crop",
        weights: str = "server",
    ) -> tuple[Result, list[Result]]:
        """Look inside a residual block of a ResNet: every convolution, ReLU and addition of it over a photo.

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            stage: C1 to C5; C1 is the stem.
            block: Block of the stage from 1; empty for its last block.
            channel: Which channel of each step is drawn, from 0; -1 for the mean of all.
            step: Name of a step, to work out one of its values: give row, column and channel as well.
            row: Of that value's cell, from 0.
            column: Of that value's cell, from 0.
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
        """

        def work() -> tuple[Result, list[Result]]:
            one_of("stage", stage, STAGE_NAMES)
            drawn = whole_number("channel", channel, MEAN, 10**6)
            shown, observation = self._observe(photo, framing, weights)
            trace = self._explorer.blocks(shown)
            place = trace.place(stage, len(trace.of_stage(stage)) if block is None else block)
            inside = self._explorer.inside(shown, place)
            worked = None
            if step:
                found = self._explorer.worked_out(shown, place, step, row, column, drawn)
                worked = worked_dictionary(found)
            result = {**origin_of(observation), **inside_dictionary(inside), "channel": drawn, "worked_out": worked}
            pictures = [
                (observation.overlay(one.heatmap(drawn), one.view(ViewOptions()), STRIP_SIDE), one.name)
                for one in inside.steps.values()
                if drawn < one.values.shape[-1]
            ]
            return result, pictures_of(pictures)

        return await self._answer(work)

    async def parts(
        self,
        photo: gr.FileData | None,
        stage: Stage = "C5",
        count: int = 4,
        opacity: float = 0.55,
        framing: Framing = "crop",
        weights: str = "server",
    ) -> tuple[Result, list[Result]]:
        """Split the activations of a ResNet's stage for a photo into parts, and name those of C5 by their classes.

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            stage: C1 to C5.
            count: Number of parts, 2 to 8.
            opacity: Of the parts over the photo, 0 to 1.
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
        """

        def work() -> tuple[Result, list[Result]]:
            one_of("stage", stage, STAGE_NAMES)
            view = ViewOptions(opacity=opacity)
            shown, observation = self._observe(photo, framing, weights)
            found = self._explorer.parts(shown, STAGE_NAMES.index(stage), count)
            result = {**origin_of(observation), **parts_dictionary(observation, found)}
            picture = draw_parts(observation, found, view.opacity, LARGE_SIDE)
            return result, pictures_of([(picture, f"parts of {stage}")])

        return await self._answer(work)

    async def elsewhere(
        self,
        photo: gr.FileData | None,
        x: float,
        y: float,
        stage: Stage = "C4",
        other: gr.FileData | None = None,
        colormap: Colormap = "turbo",
        framing: Framing = "crop",
        weights: str = "server",
    ) -> tuple[Result, list[Result]]:
        """Find the cells of a ResNet's stage whose channels resemble one cell's, in its photo and in others.

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            x: A point of the photo in its pixels, from the left, which says which cell is asked.
            y: The same point, from the top.
            stage: C1 to C5.
            other: The photo to look in; without one, the page's examples.
            colormap: turbo, viridis, magma, inferno, cividis or gray.
            framing: "crop" for the centre square, "whole" for all of each photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
        """

        def work() -> tuple[Result, list[Result]]:
            index = STAGE_NAMES.index(one_of("stage", stage, STAGE_NAMES))
            view = ViewOptions(colormap=colormap)
            shown, observation = self._observe(photo, framing, weights)
            left, top, right, bottom = observation.geometry.seen
            place = number("x coordinate", x, left, right), number("y coordinate", y, top, bottom)
            row, column = observation.geometry.cell_at(observation.blocks[index], *place)
            second = photo_path(other)
            paths = [second] if second else [str(example) for example in EXAMPLES]
            found = self._explorer.elsewhere(shown, index, row, column, paths)
            pictures = [
                (one.observation.overlay(one.heatmap, view, STRIP_SIDE), one.observation.photo_name) for one in found
            ]
            return {**origin_of(observation), **elsewhere_dictionary(found, row, column)}, pictures_of(pictures)

        return await self._answer(work)
