"""Every sentence that the page shows."""

from __future__ import annotations

from resnet.provider import Status

TITLE = "What a ResNet101 sees"
INTRODUCTION = (
    "Drop in a photo. One pass through the network gives the likeliest classes and the feature maps "
    "of its five stages, C1 to C5, laid over the photo."
)
PHOTO = "Photo"
PHOTO_PLACEHOLDER = "Drop a photo here, paste one, or click to choose"
EXAMPLES = "Examples"
FRAMING = "What the network sees"
FRAMING_INFO = "The centre square is what the weights were measured with; the whole photo keeps its aspect."
FRAMING_CHOICES = [("Centre square", "crop"), ("Whole photo", "whole")]
TOP_K = "Classes to show"
TOP_K_INFO = "The k likeliest, 1 to 20"
CLASSES = "Likeliest classes"
STAGES = "Feature maps C1 to C5"
STAGE = "Enlarged stage"
MAP = "Map of each stage"
MAP_CHOICES = [
    ("Mean of channels", "mean"),
    ("Maximum of channels", "max"),
    ("L2 norm of channels", "l2"),
    ("One channel", "channel"),
    ("Principal components (RGB)", "pca"),
]
CHANNEL = "Channel number"
CHANNEL_INFO = "From 0; C1 has 64, C5 has 2,048"
COLORMAP = "Colormap"
SCALE = "Colour scale"
SCALE_CHOICES = [("Each map", "each"), ("Shared", "shared")]
OPACITY = "Opacity, %"
SMOOTH = "Smooth between cells"
FIGURE = "Download figure (PNG)"
JSON = "Download data (JSON)"
NO_RESULT = "Choose a photo or an example; the classes appear here."
NO_MAPS = "The five maps appear here."
NOTHING_TO_SAVE = "There is no result to download yet: choose a photo first."
NOT_SHOWN_BY_BROWSERS = "browsers do not show TIFF in the field above; the maps show the photo"
WAITING = "Choose a photo to begin."
STRIP_HINT = "Click a map, or choose a stage below, to enlarge it."
NOTES = {
    "flat": "flat: every cell has the same value",
    "zero": "flat: every cell is 0",
    "no_channel": "this stage has no such channel",
}
LOADING = "Loading the weights… You can choose a photo already; the answer comes as soon as they are ready."
FAILED = "The weights could not be loaded, so no photo can be answered."
REASONS = {
    "bundled": "chosen when the server was started",
    "imagenet": "chosen when the server was started",
    "file": "chosen when the server was started",
    "auto-imagenet": "the ImageNet weights are on this machine",
    "auto-trying": "they come with the program; the ImageNet weights are being looked for",
    "auto-offline": "they come with the program; the ImageNet weights are neither here nor to be had now",
}


def weights_sentence(status: Status) -> str:
    """Which weights answer, how many classes they know, and why these."""
    if status.phase == "loading":
        return LOADING
    if status.phase == "failed" or status.manifest is None:
        return f"{FAILED} {status.detail}"
    manifest = status.manifest
    accuracy = next(iter(manifest.accuracy.values()), None)
    right = f", right on {accuracy['top1']:.0%} of its validation images" if accuracy else ""
    return f"Weights: {manifest.name}, {manifest.classes:,} classes{right} ({REASONS[status.reason]})."


def result_sentence(name: str, size: tuple[int, int], seen: tuple[int, int], weights: str, forward: float) -> str:
    """What was answered: the photo, the network's input, the weights and the pass's time."""
    unseen = f" · {NOT_SHOWN_BY_BROWSERS}" if name.lower().endswith((".tif", ".tiff")) else ""
    return (
        f"{name}, {size[0]}×{size[1]} px, seen at {seen[0]}×{seen[1]} px · forward pass {forward:.0f} ms · "
        f"{weights}{unseen}"
    )


def example_text(name: str) -> str:
    """What an example's button shows."""
    return f"Example photo: {name}"


def alternative_text(stage: str, map_name: str, photo: str) -> str:
    """What a map shows, for those who do not see it."""
    return f"Feature map {stage} ({map_name}) over the photo {photo}"
