"""The API endpoints: JSON with all results, and pictures."""

# Annotations are no strings here: Gradio reads what each endpoint returns from them.

import io
from typing import Any, Literal

import gradio as gr
from PIL import Image

from resnet.errors import OptionError
from resnet.maps.comparison import similarities
from resnet.maps.evidence import MAXIMUM_CLASSES
from resnet.maps.heatmaps import HIGHEST_CHANNEL, ViewOptions
from resnet.maps.observation import MAXIMUM_TOP_K
from resnet.options import flag, one_of, whole_number
from resnet.output.data import comparison_dictionary, evidence_dictionary
from resnet.output.export import MOST_PHOTOS
from resnet.output.figures import comparison_figure
from resnet.output.report import as_dictionary
from resnet.service.explorer import Explorer
from resnet.service.many import exported, temporary_export
from resnet.ui.api.base import Colormap, Framing
from resnet.ui.api.blocks import BlockEndpoints
from resnet.ui.api.hiding import HidingEndpoints
from resnet.ui.api.results import Result, file_of, origin_of, pictures_of, refused
from resnet.ui.files import store_file, store_picture
from resnet.ui.handlers import faults_counted
from resnet.ui.markup import LARGE_SIDE, STRIP_SIDE
from resnet.ui.uploads import fetched, photo_path

COMPARED_MAPS = ("mean", "max", "l2", "pca")


class Endpoints(BlockEndpoints, HidingEndpoints):
    """All endpoints. Their docstrings are shown to programs and language models."""

    async def classify(
        self, photo: gr.FileData | None, top_k: int = 5, framing: Framing = "crop", weights: str = "server"
    ) -> Result:
        """Classify a photo with a ResNet: the likeliest classes, and figures on the feature maps C1 to C5.

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            top_k: Number of classes, 1 to 20.
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" (200 classes) or "imagenet" (1,000).
        """

        def work() -> Result:
            count = whole_number("number of classes", top_k, 1, MAXIMUM_TOP_K)
            _, observation = self._observe(photo, framing, weights)
            return as_dictionary(observation, ViewOptions(), count)

        return await self._answer(work)

    async def explain(
        self,
        photo: gr.FileData | None,
        top_k: int = 5,
        framing: Framing = "crop",
        weights: str = "server",
        map: Literal["mean", "max", "l2", "channel", "pca"] = "mean",  # noqa: A002 - the endpoint's public parameter
        channel: int = 0,
        colormap: Colormap = "turbo",
        scale: Literal["each", "shared"] = "each",
        opacity: float = 0.55,
        smooth: bool = True,
        cut: float = 0.0,
    ) -> tuple[Result, list[Result]]:
        """Classify a photo with a ResNet and draw its feature maps of the stages C1 to C5 over it.

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            top_k: Number of classes, 1 to 20.
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
            map: How the channels of a stage become one map: "mean", "max", "l2", "channel" or "pca".
            channel: Which channel, from 0, if map is "channel".
            colormap: turbo, viridis, magma, inferno, cividis or gray.
            scale: "each" for a colour scale of each map, "shared" for one of all five.
            opacity: Of the map over the photo, 0 to 1.
            smooth: False shows each cell as a block.
            cut: Show only what lies above this share of the colour scale, 0 to 1, with its outline and the box of its
                largest piece, which the answer gives in pixels of the photo.
        """

        def work() -> tuple[Result, list[Result]]:
            number = whole_number("channel", channel, 0, HIGHEST_CHANNEL)
            view = ViewOptions(map, number, colormap, opacity, scale, smooth, cut)
            count = whole_number("number of classes", top_k, 1, MAXIMUM_TOP_K)
            _, observation = self._observe(photo, framing, weights)
            pictures = [
                (observation.overlay(heatmap, view, LARGE_SIDE), heatmap.block.stage)
                for heatmap in observation.heatmaps(view)
            ]
            return as_dictionary(observation, view, count), pictures_of(pictures)

        return await self._answer(work)

    async def evidence(
        self,
        photo: gr.FileData | None,
        classes: str = "",
        method: Literal["gradcam", "gradcam++", "hirescam", "layercam"] = "hirescam",
        scale: Literal["stage", "each"] = "stage",
        top_k: int = 5,
        framing: Framing = "crop",
        weights: str = "server",
    ) -> tuple[Result, list[Result]]:
        """Show which part of a photo speaks for which class at each stage of a ResNet (class activation maps).

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            classes: Names or WordNet ids of up to 10 classes, separated by semicolons; empty for the likeliest.
            method: "gradcam", "gradcam++", "hirescam" or "layercam".
            scale: "stage" for one colour scale per stage, "each" for each map's own.
            top_k: Number of classes if none are named, 1 to 10.
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
        """

        def work() -> tuple[Result, list[Result]]:
            shown, observation = self._observe(photo, framing, weights)
            text = str(classes or "")
            if text.count(";") > MAXIMUM_CLASSES:  # before each is looked up
                raise OptionError("Evidence takes 1 to {} classes; received {}.", MAXIMUM_CLASSES, text.count(";") + 1)
            names = [name.strip() for name in text.split(";") if name.strip()]
            count = whole_number("number of classes", top_k, 1, MAXIMUM_CLASSES)
            chosen = [self._class(observation, name) for name in names] or observation.likeliest_indices(count)
            found = self._explorer.evidence(shown, chosen)
            view, labels = ViewOptions(), observation.manifest.labels
            answer = evidence_dictionary(observation, found, method, scale)
            pictures = [
                (observation.overlay(heatmap, view, STRIP_SIDE), f"{labels[index].name}, {heatmap.block.stage}")
                for index, heatmaps in zip(found.classes, found.matrix(method, scale), strict=True)
                for heatmap in heatmaps
            ]
            return {**origin_of(observation), **answer}, pictures_of(pictures)

        return await self._answer(work)

    async def compare(
        self,
        photo: gr.FileData | None,
        other: gr.FileData | None = None,
        change: Literal["rotate", "blur", "noise", "grey", "brightness", "occlude"] = "rotate",
        amount: float = 30,
        map: Literal["mean", "max", "l2", "pca"] = "mean",  # noqa: A002 - the endpoint's public parameter
        top_k: int = 5,
        framing: Framing = "crop",
        weights: str = "server",
    ) -> tuple[Result, gr.FileData]:
        """Compare what a ResNet sees in two photos, or in one photo before and after a change, stage by stage.

        Args:
            photo: A photo as a file or a data URL; as a public address only where the server fetches those.
            other: Another photo; without one, the photo itself is changed.
            change: "rotate", "blur", "noise", "grey", "brightness" or "occlude".
            amount: Of the change, in its unit.
            map: How the channels of a stage become one map in the figure: "mean", "max", "l2" or "pca".
            top_k: Number of classes, 1 to 20.
            framing: "crop" for the centre square, "whole" for all of the photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
        """

        def work() -> tuple[Result, Any]:
            view = ViewOptions(one_of("map", map, COMPARED_MAPS))
            count = whole_number("number of classes", top_k, 1, MAXIMUM_TOP_K)
            shown, one = self._observe(photo, framing, weights)
            _, second = self._explorer.observe_other(shown, photo_path(other), change, amount)
            if other is None:
                second = second.named(f"{one.photo_name}, {change} {amount:g}")
            found = similarities(one, second)
            result = {
                **origin_of(one),
                "change": None if other else {"name": change, "amount": amount},
                **comparison_dictionary(one, second, found, count),
            }
            figure = Image.open(io.BytesIO(comparison_figure(one, second, found, view)))
            return result, file_of(store_picture(figure.convert("RGB")))

        return await self._answer(work)

    async def batch(
        self,
        photos: list[str | gr.FileData],
        top_k: int = 5,
        framing: Framing = "crop",
        weights: str = "server",
        figures: bool = False,
        raw_maps: bool = False,
    ) -> tuple[Result, gr.FileData]:
        """Classify many photos with a ResNet; a photo that cannot be read is listed with the reason.

        Args:
            photos: Up to 200 photos as files or data URLs; as public addresses only where the server fetches those.
            top_k: Number of classes, 1 to 20.
            framing: "crop" for the centre square, "whole" for all of each photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
            figures: Put a figure of each photo into the ZIP file.
            raw_maps: Put the raw maps of each photo into the ZIP file, as NPZ.
        """
        with faults_counted(refused):
            if not isinstance(photos, list) or not 1 <= len(photos) <= MOST_PHOTOS:
                received = len(photos) if isinstance(photos, list) else 0
                raise OptionError("A batch takes 1 to {} photos; received {}.", MOST_PHOTOS, received)
            # Addresses in a list come as they are; single ones have been fetched by Gradio.
            local = [await self._fetched(photo) for photo in photos]

        def work() -> tuple[Result, Any]:
            files = [path for path in map(photo_path, local) if path]
            engine = self._explorer.provider.engine(weights)
            with temporary_export(
                engine.manifest,
                ViewOptions(),
                top_k=top_k,
                framing=framing,
                maps=flag("raw_maps", raw_maps),
                figures=flag("figures", figures),
            ) as export:
                for _ in exported(files, engine, framing, export):
                    pass
                return export.content(), file_of(store_file(export.packed()))

        return await self._answer(work, self._long)

    async def _fetched(self, photo: str | gr.FileData) -> Any:
        is_address = isinstance(photo, str) and photo.startswith(("http://", "https://"))
        return {"path": await fetched(str(photo))} if is_address and self._fetch else photo


NAMES = (
    "classify",
    "explain",
    "channels",
    "flight",
    "inside",
    "parts",
    "elsewhere",
    "evidence",
    "hold",
    "hide",
    "compare",
    "batch",
)
"""Of all endpoints."""


def add_endpoints(explorer: Explorer, *, fetch: bool) -> None:
    """Add all endpoints to the page that is being built; nothing of them is visible.

    Args:
        explorer: What asks the network.
        fetch: Whether addresses of photos are fetched.
    """
    work = Endpoints(explorer, fetch=fetch)
    with gr.Row(visible=False):  # or the page would look for code that draws the parameters
        for name in NAMES:
            gr.api(  # type: ignore[attr-defined]  # documented, but not in Gradio's list of names
                getattr(work, name), api_name=name, queue=False, concurrency_limit=None
            )
