"""The photo as it comes from a browser or an API client, decoded by this project alone."""

from __future__ import annotations

import base64
from math import isfinite
from typing import Any
from urllib.parse import unquote_to_bytes

import gradio as gr
from gradio.data_classes import ImageData
from gradio.processing_utils import ssrf_protected_download

from resnet.export import MOST_PHOTOS
from resnet.folders import SUFFIXES
from resnet.images import MAXIMUM_BYTES
from resnet.temporary import full
from resnet.ui.files import is_stored, keep
from resnet.ui.language import ENGLISH, Language
from resnet.ui.server import MISFIT, NO_ADDRESSES

_TO_BASE64 = bytes.maketrans(b"-_", b"+/")  # RFC 4648, section 5


def _as_it_is(_: gr.Slider | gr.Number, payload: float | None) -> float | None:
    if payload is not None and not isfinite(payload):
        raise ValueError
    return payload


def _rounded(self: gr.Number, payload: float | None) -> float | None:
    payload = _as_it_is(self, payload)
    return None if payload is None else self.round_to_precision(payload, self.precision)


def _listed(self: gr.Dropdown, payload: Any) -> Any:
    known = {value for _, value in self.choices}
    if isinstance(payload, int) and payload not in known:
        return None
    if isinstance(payload, list):
        payload = [value for value in dict.fromkeys(payload) if not isinstance(value, int) or value in known]
    return _dropdown_value(self, payload)


# Gradio's check of the range fails for None, which an emptied number beside a slider is, and for a slider whose range
# has been changed since, by a request that was faster or in the browser alone. Whoever uses a number checks it.
gr.Slider.preprocess = _as_it_is  # type: ignore[assignment,method-assign]
# A number's range is checked by whoever uses it, too: with a sentence in the page's language, and only where it counts.
gr.Number.preprocess = _rounded  # type: ignore[method-assign]
# So may a list of classes have, whose values are the classes' indices.
_dropdown_value = gr.Dropdown.preprocess
gr.Dropdown.preprocess = _listed  # type: ignore[method-assign]


def photo_input(t: Language = ENGLISH, **options: Any) -> gr.Image:
    """An image field that hands over the uploaded file as it is: its path, or None while empty.

    Gradio's own decoding loses palettes, saturates 16-bit grey and answers a broken file with
    "Error"; `resnet.images` does neither.

    Args:
        t: Language of what is said about a data URL that is none.
        options: Of `gr.Image`.
    """
    # A mirrored photo would have its text backwards, and left and right exchanged.
    field = gr.Image(type="filepath", webcam_options=gr.WebcamOptions(mirror=False), **options)

    def preprocess(payload: ImageData | None) -> str | None:
        if payload is None:
            return None
        if payload.url and _is_data_url(payload.url):
            return _store(payload.url, t)
        return _stored(payload.path)

    field.preprocess = preprocess  # type: ignore[method-assign]
    return field


def _stored(path: str | None) -> str | None:
    """Return the path of a stored file; Gradio itself checks only values that call themselves files.

    Raises:
        gr.Error: It is any other path, whether there is such a file or not.
    """
    if path is not None and not is_stored(path):
        raise gr.Error(MISFIT, print_exception=False)
    return path


def photo_list_input(*, fetch: bool, **options: Any) -> gr.File:
    """A hidden field for many photos that language models can use as well.

    Gradio's own field of several files cannot be filled over the Model Context Protocol. This one takes
    uploaded files, as programs send them, and addresses (http, https, data), as language models do.

    Args:
        fetch: Whether addresses (http, https) are fetched.
        options: Of `gr.File`.
    """
    field = gr.File(file_count="multiple", **options)
    field.data_model = None  # plain values, checked here
    schema = {"type": "array", "items": {"type": "string", "description": "http, https or data URL of a photo"}}
    field.api_info = lambda: schema  # type: ignore[method-assign]

    def path_of(item: Any) -> str:
        if _is_data_url(item):
            path = _store(item, ENGLISH)
        elif isinstance(item, str) and item.startswith(("http://", "https://")):
            if not fetch:
                raise gr.Error(NO_ADDRESSES, print_exception=False)
            try:
                path = ssrf_protected_download(item, field.GRADIO_CACHE)
            except Exception as error:
                raise gr.Error("A photo's address cannot be fetched.", print_exception=False) from error
        elif isinstance(item, dict) and item.get("meta") == {"_type": "gradio.FileData"} and item.get("path"):
            return str(_stored(str(item["path"])))
        else:
            raise gr.Error("Each photo must be an uploaded file or an address.", print_exception=False)
        return path

    def preprocess(payload: Any) -> list[str]:
        if payload is None:
            return []
        if not isinstance(payload, list):
            raise gr.Error("The photos must be a list.", print_exception=False)
        return [path_of(item) for item in payload[: MOST_PHOTOS + 1]]

    field.preprocess = preprocess  # type: ignore[method-assign]
    return field


def _is_data_url(text: Any) -> bool:
    return isinstance(text, str) and text.lstrip()[:5].lower() == "data:"


def _store(url: str, t: Language) -> str:
    """Write the content of a data URL (RFC 2397) to a file; its decoder checks it like any other.

    As browsers do, it takes capitals, line breaks and blanks, percent escapes, and base64 without its padding or with
    the letters that are meant for addresses.
    """
    header, _, body = url.partition(",")
    header = header.strip().lower()
    kind = header.removeprefix("data:image/").split(";")[0]
    if full.is_set():
        raise gr.Error(t("There is no room for files now; please try again in some minutes."), print_exception=False)
    suffix = kind if f".{kind}" in SUFFIXES else "bin"
    content = unquote_to_bytes(body)
    if header.endswith(";base64"):
        letters = b"".join(content.split()).translate(_TO_BASE64).rstrip(b"=")
        try:
            content = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
        except ValueError:
            raise gr.Error(t("The photo's data URL is no valid base64."), print_exception=False) from None
    if len(content) > MAXIMUM_BYTES:
        raise gr.Error(
            t("The photo has over {:.0f} MB, the most that is taken.", MAXIMUM_BYTES / 1e6), print_exception=False
        )
    return keep(content, f"image.{suffix}")
