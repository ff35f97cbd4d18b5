"""What requests bring: how much of it, of how many values, and how slowly."""

from __future__ import annotations

import asyncio
import errno

from fastapi import HTTPException
from gradio.route_utils import GradioMultiPartParser
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from resnet.export import MOST_PHOTOS
from resnet.temporary import TEMPORARY_BYTES, count, full

NO_ROOM = "The server cannot store files now: {}. Please try later."
NO_ROOM_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
NO_ROOM_FOR_FILES = NO_ROOM.format("visitors' files fill the room that they have")

TOO_LARGE = "A request may have at most {:.0f} MB; please upload photos as files."
TOO_MANY = "A request may have at most {:,} values."
TOO_MANY_FILES = "An upload may have at most {} files; please send fewer at a time."
TOO_SLOW = "The request has come too slowly: nothing of it for {:.0f} s, or not all of it within {:.0f} s."
BUSY = "The server is receiving as much as it has room for. Please try again in a minute."
# Gradio answers 413 to what says these words, and removes the parts of the upload that it has stored.
UPLOAD_TOO_LARGE = "An upload exceeds the maximum allowed size, {:.0f} MB; please send fewer photos at a time."
BROKEN_OFF = "The upload was broken off."
ONLY_FILES = "An upload may hold files alone."

MOST_UPLOADED = TEMPORARY_BYTES
"""Bytes of one upload, which may be of many photos."""

MOST_FILES = MOST_PHOTOS
"""Files of one upload: as many as a batch takes."""

MOST_FILES_TOGETHER = 4 * MOST_FILES
"""Files of all uploads that are being received; each holds a descriptor of the process, of which it has some 1,000."""

MOST_SENT = 64_000_000
"""Bytes of any other request, which Gradio holds in memory: two photos of 20 MB fit as data URLs."""

MOST_SENT_TOGETHER = 256_000_000
"""Bytes of all such requests that are being received or answered, those of up to `SMALL` bytes apart."""

SMALL = 64_000
"""Bytes of a request that is received however many others are."""

MOST_VALUES = 1_000_000
"""Values in such a request: as Python's objects they take some twenty times their bytes."""

PATIENCE = 60.0
"""Seconds in which nothing of a request may come before it has come whole."""

LONGEST = 300.0
"""Seconds in which it has to come whole, if it is no upload: others wait for its room."""

LONGEST_UPLOAD = 1800.0
"""Seconds in which an upload has to come whole: of two gigabytes at 9 Mbit/s."""

_NAME = "resnet.body"


class Body:
    """The body of one request, which is received up to the most that it may have.

    Attributes:
        taken: Bytes that have been received.
        files: Files that have begun to come, if it is an upload.
    """

    def __init__(self, scope: Scope, receive: Receive, held: set[Body]) -> None:
        """Wait for it.

        Args:
            scope: Of its request.
            receive: What comes.
            held: Bodies that take room, in memory or of descriptors, this one among them if it does and until `forget`.
        """
        self.taken = 0
        self._receive = receive
        self._held = held
        self._is_upload = is_upload(scope)
        self.files = 0
        self._values = 0
        self._longest = LONGEST_UPLOAD if self._is_upload else LONGEST
        self._boundary, self._tail = _boundary(scope), b""
        self._whole = False
        self._ends = 0.0
        scope[_NAME] = self

    async def receive(self) -> Message:
        """What comes next."""
        if self._whole:  # and what may come now is that he leaves
            return await self._receive()
        return await (self._part_of_upload() if self._is_upload else self._part_of_values())

    def forget(self) -> None:
        """Hold it no longer."""
        self._held.discard(self)

    async def _part(self) -> Message:
        now = asyncio.get_running_loop().time()
        self._ends = self._ends or now + self._longest
        try:
            async with asyncio.timeout_at(min(now + PATIENCE, self._ends)):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, TOO_SLOW.format(PATIENCE, self._longest)) from None
        self.taken += len(message.get("body", b""))
        self._whole = message["type"] == "http.request" and not message.get("more_body", False)
        return message

    async def _part_of_upload(self) -> Message:
        # Of all errors, only this one makes Gradio remove what it has stored.
        try:
            message = await self._part()
        except HTTPException as error:
            raise MultiPartException(error.detail) from None
        if message["type"] == "http.disconnect":
            raise MultiPartException(BROKEN_OFF)
        if self.taken > MOST_UPLOADED:
            raise MultiPartException(UPLOAD_TOO_LARGE.format(MOST_UPLOADED / 1e6))
        if full.is_set() and not self._whole:
            raise MultiPartException(NO_ROOM_FOR_FILES)
        self._count_files(message.get("body", b""))
        count(len(message.get("body", b"")))
        return message

    def _count_files(self, part: bytes) -> None:
        """Count the files that begin in a part, each behind a boundary."""
        text = self._tail + part
        self.files += text.count(self._boundary)
        self._tail = text[max(0, len(text) - len(self._boundary) + 1) :]
        self._held.add(self)
        if self.files > MOST_FILES + 1:  # the last boundary is the end
            raise MultiPartException(TOO_MANY_FILES.format(MOST_FILES))
        if sum(body.files for body in self._held) > MOST_FILES_TOGETHER:
            raise MultiPartException(BUSY)

    async def _part_of_values(self) -> Message:
        message = await self._part()
        self._values += sum(map(message.get("body", b"").count, (b",", b"[", b"{")))
        if self.taken > MOST_SENT:
            raise HTTPException(413, TOO_LARGE.format(MOST_SENT / 1e6))
        if self._values > MOST_VALUES:
            raise HTTPException(413, TOO_MANY.format(MOST_VALUES))
        if self.taken > SMALL:
            self._held.add(self)
            if sum(body.taken for body in self._held if not body.files) > MOST_SENT_TOGETHER:
                raise HTTPException(429, BUSY, {"Retry-After": "60"})
        return message


def bytes_of(request: Request) -> int:
    """Bytes of a request's body that have been received."""
    body: Body | None = request.scope.get(_NAME)
    return body.taken if body else 0


def _boundary(scope: Scope) -> bytes:
    """What separates the files of an upload (RFC 2046, 5.1.1)."""
    _, options = parse_options_header(Headers(scope=scope).get("content-type"))
    return b"--" + options.get(b"boundary", b"")


def is_upload(scope: Scope) -> bool:
    """Whether a request brings files, which are stored and not held in memory."""
    return str(scope["path"]).rstrip("/").endswith("/gradio_api/upload")


_on_part_data = GradioMultiPartParser.on_part_data


def _of_files(self: GradioMultiPartParser, data: bytes, start: int, end: int) -> None:
    if self._current_part.file is None:
        raise MultiPartException(ONLY_FILES)
    _on_part_data(self, data, start, end)


# Of other parts Gradio bounds the number, and keeps their content in memory.
GradioMultiPartParser.on_part_data = _of_files  # type: ignore[method-assign]
