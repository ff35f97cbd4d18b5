"""The endpoints that hide a part of a photo: the hottest of a map, or what is drawn."""

# Annotations are no strings here: Gradio reads what each endpoint returns from them.

from typing import Any, Literal

import gradio as gr

from resnet.errors import OptionError
from resnet.maps.drawn import read_drawing
from resnet.maps.occlusion import HIDING_MAPS
from resnet.options import flag, one_of
from resnet.output.drawn import Attempt, Rival
from resnet.output.hiding import Trial
from resnet.stages import STAGE_NAMES
from resnet.ui.api.base import Base, Framing, Stage
from resnet.ui.api.results import Result, file_of, origin_of, pictures_of
from resnet.ui.files import store_picture

HidingMap = Literal["gradcam", "gradcam++", "hirescam", "layercam", "mean", "max", "l2"]
Fill = Literal["blur", "mean"]


class HidingEndpoints(Base):
    """Their docstrings are shown to programs and language models."""

    async def hold(
        self,
        photo: gr.FileData | None,
        map: HidingMap = "hirescam",  # noqa: A002 - the endpoint's public parameter
        stage: Stage = "C5",
        class_name: str = "",
        percent: float = 20,
        fill: Fill = "blur",
        curves: bool = False,
        framing: Framing = "crop",
        weights: str = "server",
    ) -> tuple[Result, gr.FileData]:
        """Hide the hottest part of a map from a ResNet and classify again: does the explanation hold?

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            map: A method ("gradcam", "gradcam++", "hirescam", "layercam") or "mean", "max", "l2" of the channels.
            stage: C1 to C5.
            class_name: Name or WordNet id of the class; empty for the likeliest.
            percent: Part of the network's input to hide, 0 to 100: of the centre square, or of the whole photo.
            fill: "blur" or "mean", the photo's mean colour.
            curves: Also measure deletion and insertion curves, and compare the map with 20 moved copies of itself.
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
        """

        def work() -> tuple[Result, Any]:
            one_of("map", map, HIDING_MAPS)
            place = STAGE_NAMES.index(one_of("stage", stage, STAGE_NAMES))
            shown, observation = self._observe(photo, framing, weights)
            target = self._class(observation, class_name)
            heatmap = self._explorer.hiding_map(shown, map, place, target)
            hidden = self._explorer.hidden(shown, heatmap, percent, fill)
            measured = None
            if flag("curves", curves):
                *_, measured = self._explorer.curves(shown, heatmap, target, fill)
            trial = Trial(observation, map, heatmap, target, fill, hidden, measured)
            result = {**origin_of(observation), **trial.dictionary()}
            return result, file_of(store_picture(hidden.picture))

        return await self._answer(work, self._long)

    async def hide(
        self,
        photo: gr.FileData | None,
        drawing: list[dict[str, Any]],
        against: Literal["", "gradcam", "gradcam++", "hirescam", "layercam", "mean", "max", "l2"] = "",
        stage: Stage = "C5",
        class_name: str = "",
        fill: Fill = "blur",
        framing: Framing = "crop",
        weights: str = "server",
    ) -> tuple[Result, list[Result]]:
        """Hide what is drawn on a photo from a ResNet and classify again, alone or against as much of a map.

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            drawing: Shapes in pixels of the photo: {"box": [left, top, right, bottom]} or {"line": [[x, y], ...],
                "width": pixels}.
            against: Also hide as much of this map, its hottest part: a method ("gradcam", "gradcam++", "hirescam",
                "layercam") or "mean", "max", "l2" of the channels. Empty for the drawing alone.
            stage: Of that map, C1 to C5.
            class_name: Name or WordNet id of the class; empty for the likeliest.
            fill: "blur" or "mean", the photo's mean colour.
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
        """

        def work() -> tuple[Result, list[Result]]:
            one_of("map", against, ("", *HIDING_MAPS))
            place = STAGE_NAMES.index(one_of("stage", stage, STAGE_NAMES))
            wanted = read_drawing(drawing)
            if wanted.is_empty:
                raise OptionError("Draw at least one shape to hide; received none.")
            shown, observation = self._observe(photo, framing, weights)
            target = self._class(observation, class_name)
            found = self._explorer.hidden_drawn(shown, wanted, fill)
            rival = None
            if against:
                heatmap = self._explorer.hiding_map(shown, against, place, target)
                as_much = self._explorer.hidden(shown, heatmap, found.share * 100, fill)
                rival = Rival(against, stage, as_much)
            attempt = Attempt(observation, wanted, target, fill, found, rival)
            pictures = [(found.picture, "drawing"), *([(rival.hidden.picture, f"{against}, {stage}")] if rival else [])]
            return {**origin_of(observation), **attempt.dictionary()}, pictures_of(pictures)

        return await self._answer(work)
