"""What each endpoint does: JSON with everything, and pictures."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from resnet.channels import channel_facts, rank_channels
from resnet.comparison import similarities
from resnet.errors import OptionError, ResNetError
from resnet.evidence import MAXIMUM_CLASSES
from resnet.explain import MAXIMUM_TOP_K, Observation, Prediction, likeliest
from resnet.explorer import Explorer, Shown, Source
from resnet.export import MOST_PHOTOS, answer_many, temporary_export, write_all
from resnet.figures import comparison_png
from resnet.heatmaps import HIGHEST_CHANNEL, ViewOptions
from resnet.occlusion import TESTED_SHARE, Curve
from resnet.options import flag, one_of, whole_number
from resnet.report import as_dictionary, prediction_dictionary
from resnet.stages import STAGE_NAMES
from resnet.temporary import touch
from resnet.ui.api.fields import Fields
from resnet.ui.classes import likeliest_indices
from resnet.ui.files import keep_picture
from resnet.ui.language import ENGLISH
from resnet.ui.markup import LARGE_SIDE, STRIP_SIDE
from resnet.ui.page import LONG, NETWORK
from resnet.ui.tabs.compare import other_answer
from resnet.ui.tabs.hold import HIDING_MAPS, hiding_map

COMPARED_MAPS = ("mean", "max", "l2", "pca")
Result = dict[str, Any]
Pictures = list[tuple[Image.Image, str]]
Files = list[tuple[str, str]]

# A program gets plain text, but whoever shows it on a page must not get markup from a file's name.
_NO_MARKUP = str.maketrans("<>", "‹›")


def _answer(work: Callable[[], Any]) -> Any:
    """What `work` gives; what the caller can mend becomes a sentence."""
    try:
        return work()
    except ResNetError as error:
        raise gr.Error(ENGLISH.error(error).translate(_NO_MARKUP), print_exception=False) from error


class Endpoints:
    """The work of the endpoints. The docstrings are shown to programs and language models."""

    def __init__(self, explorer: Explorer) -> None:
        """Remember what to ask."""
        self._explorer = explorer

    def _observe(self, photo: str | None, framing: Any, weights: Any) -> tuple[Shown, Observation]:
        if photo is None:
            raise OptionError("A photo is needed; received none.")
        return self._explorer.observe(Source(photo, framing, weights))

    def classify(self, photo: str | None, top_k: Any = 5, framing: Any = "crop", weights: Any = "server") -> Result:
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

        result: Result = _answer(work)
        return result

    def explain(
        self,
        photo: str | None,
        top_k: Any = 5,
        framing: Any = "crop",
        weights: Any = "server",
        map: Any = "mean",  # noqa: A002 - the endpoint's public parameter
        channel: Any = 0,
        colormap: Any = "turbo",
        scale: Any = "each",
        opacity: Any = 0.55,
        smooth: Any = True,
    ) -> tuple[Result, Files]:
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
        """

        def work() -> tuple[Result, Files]:
            number = whole_number("channel", channel, 0, HIGHEST_CHANNEL)
            view = ViewOptions(map, number, colormap, opacity, scale, smooth)
            count = whole_number("number of classes", top_k, 1, MAXIMUM_TOP_K)
            _, observation = self._observe(photo, framing, weights)
            pictures = [
                (observation.overlay(heatmap, view, LARGE_SIDE), heatmap.block.stage)
                for heatmap in observation.heatmaps(view)
            ]
            return as_dictionary(observation, view, count), _kept(pictures)

        result: tuple[Result, Files] = _answer(work)
        return result

    def channels(
        self,
        photo: str | None,
        stage: Any = "C5",
        block: Any = None,
        order: Any = "mean",
        class_name: Any = "",
        count: Any = 16,
        framing: Any = "crop",
        weights: Any = "server",
    ) -> tuple[Result, Files]:
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

        def work() -> tuple[Result, Files]:
            one_of("stage", stage, STAGE_NAMES)
            shown, observation = self._observe(photo, framing, weights)
            trace = self._explorer.blocks(shown)
            place = trace.place(stage, len(trace.of_stage(stage)) if block is None else block)
            contributions, target = None, None
            if order == "contribution":
                target = self._class(observation, class_name)
                contributions = self._explorer.evidence(shown, (target,)).contributions[place][0]
            values, shape = trace.outputs[place], trace.blocks[place].shape
            ranked = [int(channel) for channel in rank_channels(values, order, count, contributions)]
            facts = [channel_facts(values, channel) for channel in ranked]
            result = {
                **_origin(observation),
                "block": trace.blocks[place].name,
                "shape": list(shape),
                "order": order,
                "class": None if target is None else observation.manifest.labels[target].name,
                "channels": [
                    {
                        "channel": one.channel,
                        "mean": one.mean,
                        "standard_deviation": one.deviation,
                        "max": one.maximum,
                        "share_of_zeros": one.zeros,
                        **({} if contributions is None else {"contribution": float(contributions[one.channel])}),
                    }
                    for one in facts
                ],
                "blocks": [
                    {"name": one.name, "stage": one.stage, "branch_to_shortcut": float(change)}
                    for one, change in zip(trace.blocks[1:], trace.changes, strict=True)
                ],
            }
            view = ViewOptions()
            pictures = [
                (observation.overlay(trace.heatmap(place, channel), view, STRIP_SIDE), f"channel {channel}")
                for channel in ranked
            ]
            return result, _kept(pictures)

        result: tuple[Result, Files] = _answer(work)
        return result

    def evidence(
        self,
        photo: str | None,
        classes: Any = "",
        method: Any = "hirescam",
        scale: Any = "stage",
        top_k: Any = 5,
        framing: Any = "crop",
        weights: Any = "server",
    ) -> tuple[Result, Files]:
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

        def work() -> tuple[Result, Files]:
            shown, observation = self._observe(photo, framing, weights)
            text = str(classes or "")
            if text.count(";") > MAXIMUM_CLASSES:  # before each is looked up
                raise OptionError("Evidence takes 1 to {} classes; received {}.", MAXIMUM_CLASSES, text.count(";") + 1)
            names = [name.strip() for name in text.split(";") if name.strip()]
            count = whole_number("number of classes", top_k, 1, MAXIMUM_CLASSES)
            chosen = [self._class(observation, name) for name in names] or likeliest_indices(observation, count)
            found = self._explorer.evidence(shown, chosen)
            view, labels = ViewOptions(), observation.manifest.labels
            rows: list[Result] = []
            pictures: Pictures = []
            for place, (index, heatmaps) in enumerate(zip(found.classes, found.matrix(method, scale), strict=True)):
                signed = found.maps[method][place]
                rows.append(
                    {
                        "label": labels[index].name,
                        "wnid": labels[index].wnid,
                        "probability": float(observation.probabilities[index]),
                        "logit": float(found.logits[index]),
                        "stages": [
                            {"name": name, "max": heatmap.maximum, "sum": float(values.sum())}
                            for name, heatmap, values in zip(STAGE_NAMES, heatmaps, signed, strict=True)
                        ],
                    }
                )
                pictures += [
                    (observation.overlay(heatmap, view, STRIP_SIDE), f"{labels[index].name}, {heatmap.block.stage}")
                    for heatmap in heatmaps
                ]
            return {**_origin(observation), "method": method, "classes": rows}, _kept(pictures)

        result: tuple[Result, Files] = _answer(work)
        return result

    def hold(
        self,
        photo: str | None,
        map: Any = "hirescam",  # noqa: A002 - the endpoint's public parameter
        stage: Any = "C5",
        class_name: Any = "",
        percent: Any = 20,
        fill: Any = "blur",
        curves: Any = False,
        framing: Any = "crop",
        weights: Any = "server",
    ) -> tuple[Result, str]:
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

        def work() -> tuple[Result, str]:
            one_of("map", map, HIDING_MAPS)
            place = STAGE_NAMES.index(one_of("stage", stage, STAGE_NAMES))
            shown, observation = self._observe(photo, framing, weights)
            target = self._class(observation, class_name)
            heatmap = hiding_map(self._explorer, shown, map, place, target)
            hidden = self._explorer.hidden(shown, heatmap, percent, fill)
            result = {
                **_origin(observation),
                "map": map,
                "stage": stage,
                "class": observation.manifest.labels[target].name,
                "hidden_share": hidden.share,
                "probability_before": float(observation.probabilities[target]),
                "probability_after": float(hidden.probabilities[target]),
                "predictions_after": _predictions(likeliest(hidden.probabilities, observation.manifest, 5)),
            }
            if flag("curves", curves):
                measured = self._explorer.curves(shown, heatmap, target, fill)
                result["deletion"] = _curve(measured.deletion)
                result["insertion"] = _curve(measured.insertion)
                result["moved_copies"] = {
                    "hidden_share": TESTED_SHARE,
                    "probability": measured.chance.probability,
                    "copies": measured.chance.copies.tolist(),
                    "hides_more_than": measured.chance.beaten,
                    "verdict": measured.chance.verdict,
                }
            return result, keep_picture(hidden.picture)

        result: tuple[Result, str] = _answer(work)
        return result

    def compare(
        self,
        photo: str | None,
        other: str | None = None,
        change: Any = "rotate",
        amount: Any = 30,
        map: Any = "mean",  # noqa: A002 - the endpoint's public parameter
        top_k: Any = 5,
        framing: Any = "crop",
        weights: Any = "server",
    ) -> tuple[Result, str]:
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

        def work() -> tuple[Result, str]:
            view = ViewOptions(one_of("map", map, COMPARED_MAPS))
            count = whole_number("number of classes", top_k, 1, MAXIMUM_TOP_K)
            shown, one = self._observe(photo, framing, weights)
            _, second = other_answer(self._explorer, shown, other, change, amount)
            if other is None:
                second = second.named(f"{one.photo_name}, {change} {amount:g}")
            found = similarities(one, second)
            result = {
                **_origin(one),
                "other": second.photo_name,
                "change": None if other else {"name": change, "amount": amount},
                "predictions": _predictions(one.predictions(count)),
                "other_predictions": _predictions(second.predictions(count)),
                "stages": [
                    {
                        "name": stage.stage,
                        "cosine": stage.cosine,
                        "linear_cka": stage.cka,
                        "cka_by_chance": stage.chance,
                    }
                    for stage in found
                ],
            }
            figure = Image.open(io.BytesIO(comparison_png(one, second, found, view)))
            return result, keep_picture(figure.convert("RGB"))

        result: tuple[Result, str] = _answer(work)
        return result

    def batch(
        self,
        photos: list[str] | None,
        top_k: Any = 5,
        framing: Any = "crop",
        weights: Any = "server",
        figures: Any = False,
        raw_maps: Any = False,
    ) -> tuple[Result, str]:
        """Classify many photos with a ResNet; a photo that cannot be read is listed with the reason.

        Args:
            photos: Up to 200 photos as files or data URLs; as public addresses only where the server fetches those.
            top_k: Number of classes, 1 to 20.
            framing: "crop" for the centre square, "whole" for all of each photo.
            weights: "server" for the server's own choice, "bundled" or "imagenet".
            figures: Put a figure of each photo into the ZIP file.
            raw_maps: Put the raw maps of each photo into the ZIP file, as NPZ.
        """

        def work() -> tuple[Result, str]:
            files = photos or []
            if not 1 <= len(files) <= MOST_PHOTOS:
                raise OptionError("A batch takes 1 to {} photos; received {}.", MOST_PHOTOS, len(files))
            engine = self._explorer.provider.engine(weights)
            with temporary_export(
                engine.manifest,
                ViewOptions(),
                top_k=top_k,
                framing=framing,
                maps=flag("raw_maps", raw_maps),
                figures=flag("figures", figures),
            ) as export:
                sources = [(Path(file), Path(file).name) for file in files]
                for done, _ in enumerate(write_all(answer_many(sources, engine, framing), export), 1):
                    touch(*files[done:])
                return export.content(), str(save_file_to_cache(export.packed(), get_upload_folder()))

        result: tuple[Result, str] = _answer(work)
        return result

    @staticmethod
    def _class(observation: Observation, name: Any) -> int:
        wanted = str(name or "").strip()
        return observation.manifest.class_named(wanted) if wanted else likeliest_indices(observation, 1)[0]


def _kept(pictures: Pictures) -> Files:
    """Pictures as files that the caller can fetch; at the end, when nothing else can fail."""
    return [(keep_picture(picture), caption) for picture, caption in pictures]


def _origin(observation: Observation) -> Result:
    return {
        "image": observation.photo_name,
        "weights": {"name": observation.manifest.name, "sha256": observation.manifest.sha256},
        "framing": observation.framing,
        "notes": [str(note) for note in observation.notes],
    }


def _predictions(predictions: tuple[Prediction, ...]) -> list[Result]:
    return [prediction_dictionary(prediction) for prediction in predictions]


def _curve(curve: Curve) -> Result:
    return {"area": curve.area, "shares": curve.shares.tolist(), "probabilities": curve.probabilities.tolist()}


def add_endpoints(explorer: Explorer, *, fetch: bool) -> None:
    """Add all endpoints to the page that is being built; nothing of them is visible.

    Args:
        explorer: What asks the network.
        fetch: Whether addresses of photos are fetched.
    """
    work = Endpoints(explorer)
    with gr.Row(visible=False):
        of = Fields(explorer.provider, fetch=fetch)
        result = gr.JSON(label="The answer as JSON: image, weights and framing first, then what was asked")
        pictures = gr.Gallery(label="Overlays over the photo, each with a caption")
        # No page shows it, but each would load its code, of which a player for films is the largest part.
        pictures.get_block_name = lambda: "json"  # type: ignore[method-assign]
        picture = gr.Image(label="What the answer shows as one picture")
        file = gr.File(label="ZIP file: predictions.csv, manifest.json, figures, maps")
        trigger = gr.Button()
    drawn = [of.aggregation, of.channel, of.colormap, of.scale, of.opacity, of.smooth]
    asked = [of.framing, of.weights]
    endpoints: list[tuple[Callable[..., Any], list[Any], list[Any]]] = [
        (work.classify, [of.photo, of.top_k, *asked], [result]),
        (work.explain, [of.photo, of.top_k, *asked, *drawn], [result, pictures]),
        (work.channels, [of.photo, of.stage, of.block, of.order, of.class_name, of.count, *asked], [result, pictures]),
        (
            work.evidence,
            [of.photo, of.classes, of.method, of.evidence_scale, of.top_k, *asked],
            [result, pictures],
        ),
        (
            work.hold,
            [of.photo, of.hiding_map, of.stage, of.class_name, of.percent, of.fill, of.curves, *asked],
            [result, picture],
        ),
        (work.compare, [of.photo, of.other, of.change, of.amount, of.aggregation, of.top_k, *asked], [result, picture]),
        (work.batch, [of.photos, of.top_k, *asked, of.figures, of.raw_maps], [result, file]),
    ]
    for function, inputs, outputs in endpoints:
        turn = LONG if function in (work.batch, work.hold) else NETWORK
        trigger.click(function, inputs, outputs, api_name=function.__name__, api_visibility="public", **turn)
