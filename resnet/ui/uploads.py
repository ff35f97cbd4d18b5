"""Photos as browsers and programs send them: uploaded files and data URLs. Both become paths; nothing is decoded."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import unquote_to_bytes

import safehttpx

from resnet.errors import ImageError, OptionError
from resnet.photo.folders import SUFFIXES
from resnet.photo.images import MAXIMUM_BYTES
from resnet.service.temporary import check_room
from resnet.ui.files import is_served, store

_TO_BASE64 = bytes.maketrans(b"-_", b"+/")  # RFC 4648, section 5


def photo_path(value: Any) -> str | None:
    """Return the path of a photo, or None for no photo.

    Args:
        value: None, a data URL, or what Gradio says of a file: a dictionary with "path" and "url".

    Raises:
        ImageError: The file was never uploaded, or the data URL is damaged.
        OptionError: The value is not a photo, or there is no space for it.
    """
    if value is None:
        return None
    if isinstance(value, dict):
        url, path = value.get("url"), value.get("path")
        if isinstance(url, str) and _is_data_url(url):
            return store_data_url(url)
        if isinstance(path, str) and not _is_data_url(path):
            if not is_served(path):
                raise ImageError("This photo is no longer on the server. Please choose it again.")
            return path
        value = path
    if _is_data_url(value):
        return store_data_url(value)
    raise OptionError("A photo must be an uploaded file or a data URL.")


def file_paths(value: Any) -> list[str]:
    """Return the paths of several photos; see `photo_path`."""
    files = value if isinstance(value, list) else [] if value is None else [value]
    return [path for path in map(photo_path, files) if path]


async def fetched(address: str) -> str:
    """Store the photo at a public address, and return its path.

    Addresses of this machine and of private networks are refused.

    Raises:
        ImageError: The address cannot be fetched, or the photo is too large.
    """
    try:
        response = await safehttpx.get(address)
        response.raise_for_status()
    except Exception as error:
        raise ImageError("The photo's address cannot be fetched.") from error
    return _stored(response.content, address.partition("?")[0].rpartition(".")[2].lower())


def _is_data_url(text: Any) -> bool:
    return isinstance(text, str) and text.lstrip()[:5].lower() == "data:"


def store_data_url(url: str) -> str:
    """Store the content of a data URL (RFC 2397), and return its path; its decoder checks it like any other file.

    As in browsers, capitals, line breaks, blanks and percent escapes are fine, and so is base64 without its padding or
    in the alphabet for addresses.

    Raises:
        ImageError: The data URL is damaged, or the photo too large.
        OptionError: There is no space for it.
    """
    header, _, body = url.partition(",")
    header = header.strip().lower()
    content = unquote_to_bytes(body)
    if header.endswith(";base64"):
        letters = b"".join(content.split()).translate(_TO_BASE64).rstrip(b"=")
        try:
            content = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
        except ValueError:
            raise ImageError("The photo's data URL is not valid base64.") from None
    return _stored(content, header.removeprefix("data:image/").split(";")[0])


def _stored(content: bytes, kind: str) -> str:
    check_room()
    if len(content) > MAXIMUM_BYTES:
        raise ImageError("The photo is larger than {:.0f} MB, the limit.", MAXIMUM_BYTES / 1e6)
    return store(content, f"image.{kind if f'.{kind}' in SUFFIXES else 'bin'}")
