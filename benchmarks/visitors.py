"""Visitors of the page for the load test: every photo is tagged, and every answer checked for its tag."""

from __future__ import annotations

import base64
import io
import itertools
import json
import random
import re
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from locust import HttpUser, between, task
from PIL import Image

from benchmarks.served import first_choice, page_events

SIDE, GRID = 256, 4
"""A tag of 16 bits is painted as 4 x 4 black or white blocks of 64 pixels."""

numbers = itertools.count(1)
answered: list[float] = []
"""Seconds that each answered photo took, in the order of the answers."""
refused: list[float] = []
"""Times at which a full queue has refused a request."""


class WrongAnswerError(Exception):
    """An answer that is not for what was asked."""


def tagged_photo(tag: int) -> bytes:
    """A JPEG that shows its tag."""
    bits = np.array([tag >> bit & 1 for bit in range(GRID * GRID)], np.uint8).reshape(GRID, GRID)
    blocks = np.kron(bits, np.ones((SIDE // GRID, SIDE // GRID), np.uint8)) * 150 + 40
    noise = np.random.default_rng(tag).integers(0, 50, (SIDE, SIDE, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(blocks[..., None] + noise).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def tag_of(content: bytes) -> int:
    """The tag that a picture shows."""
    with Image.open(io.BytesIO(content)) as picture:
        blocks = np.asarray(picture.convert("L").resize((GRID, GRID), Image.Resampling.BOX))
    return sum(int(value > 128) << bit for bit, value in enumerate(blocks.flat))


def garbage(tag: int) -> bytes:
    """A file that is no photo."""
    chance = random.Random(tag)
    photo = tagged_photo(tag)
    return chance.choice(
        [b"", b"just text", b"<svg onload='alert(1)'/>", photo[: chance.randrange(2, len(photo) // 2)],
         chance.randbytes(5000), b"\x89PNG\r\n\x1a\n" + chance.randbytes(100)]
    )  # fmt: skip


class Visitor(HttpUser):
    """Uploads, looks, changes controls, exports, sends garbage, leaves in the middle."""

    wait_time = between(0.5, 3.0)

    def on_start(self) -> None:
        """Open the page, and learn which events its photo and its maps have."""
        # A browser asks again when the server closes an idle connection just as it is used; for Locust it is a fault.
        self.client.headers["Connection"] = "close"
        self.client.get("/", name="page")
        config = self.client.get("/config", name="page").json()
        self.events, self.choice = page_events(config), first_choice(config)
        self.session = f"visitor{next(numbers)}"
        self.first: dict[int, float] = {}

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Store a file; what an endpoint wants to hear of it."""
        answer = self.client.post("/gradio_api/upload", files={"files": (name, content)}, name="upload")
        if answer.status_code != 200:
            raise WrongAnswerError(f"the upload of {name} was answered with {answer.status_code}: {answer.text[:300]}")
        path = answer.json()[0]
        return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def lines(self, path: str, name: str) -> Iterator[str]:
        """The lines of a stream of events."""
        with self.client.get(path, name=name, stream=True, catch_response=True) as response:
            for line in response.iter_lines():
                yield line.decode() if isinstance(line, bytes) else line
            response.success()

    def ask(self, path: str, body: dict[str, Any], name: str) -> str:
        """Queue a request; who finds the queue full comes back a second later."""
        while True:
            with self.client.post(path, json=body, name=name, catch_response=True) as response:
                if response.status_code != 503:
                    return str(response.json()["event_id"])
                if "Queue is full" not in response.text:
                    raise WrongAnswerError(f"a full queue was answered with {response.text[:200]}")
                refused.append(time.monotonic())
                response.success()
            time.sleep(1)

    def call(self, endpoint: str, values: list[Any]) -> Any:
        """Return the answer of a public endpoint, or its error message."""
        asked = time.monotonic()
        identifier = self.ask(f"/gradio_api/call/{endpoint}", {"data": values}, f"{endpoint}: ask")
        kind = ""
        for line in self.lines(f"/gradio_api/call/{endpoint}/{identifier}", f"{endpoint}: answer"):
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: ") and kind in ("complete", "error"):
                if endpoint == "explain":
                    answered.append(time.monotonic() - asked)
                return json.loads(line[6:])
        raise WrongAnswerError(f"{endpoint} ended without an answer")

    def page_event(self, event: int, values: list[Any]) -> Any:
        """Return the result of an event of the page, in this visitor's session."""
        body = {"data": [*values, None], "fn_index": event, "session_hash": self.session}
        self.ask("/gradio_api/queue/join", body, "page event: ask")
        found = None
        for line in self.lines(f"/gradio_api/queue/data?session_hash={self.session}", "page event: answer"):
            if line.startswith("data: "):
                message = json.loads(line[6:])
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise WrongAnswerError(f"the page's event failed: {message['output']}")
                    found = message["output"]["data"]
        if found is None:
            raise WrongAnswerError("the page's event ended without an answer")
        return found

    def check(self, wanted: int, name: str, found: Any) -> None:
        """Check that an answer is for the visitor's own photo."""
        if not isinstance(found, list) or found[0]["image"] != name:
            raise WrongAnswerError(f"asked about {name}, received {str(found)[:200]}")
        probability = found[0]["predictions"][0]["probability"]
        if abs(self.first.setdefault(wanted, probability) - probability) > 1e-4:
            raise WrongAnswerError(f"{name} was {self.first[wanted]} likely, now {probability}")

    @task(6)
    def look_by_api(self) -> None:
        """A photo, and two more views of it."""
        tag = random.randrange(1, 2**16)
        name = f"photo-{tag}.jpg"
        photo = self.upload(name, tagged_photo(tag))
        for view in (["mean", 0, "turbo"], ["max", 0, "magma"], ["pca", 0, "gray"]):
            found = self.call("explain", [photo, 5, "crop", "server", *view, "each", 0, True])
            self.check(tag, name, found)
            for picture in found[1]:
                content = self.client.get(f"/gradio_api/file={picture['image']['path']}", name="overlay").content
                if tag_of(content) != tag:
                    raise WrongAnswerError(f"asked about {tag}, saw {tag_of(content)}")
            self.wait()

    @task(6)
    def look_by_page(self) -> None:
        """The same as the page does it."""
        tag = random.randrange(1, 2**16)
        photo = self.upload(f"photo-{tag}.jpg", tagged_photo(tag))
        message, held = self.page_event(self.events["explain"], [photo, "crop", self.choice])
        if f"photo-{tag}.jpg" not in message:
            raise WrongAnswerError(f"asked about {tag}, read {message}")
        below = ["", 4, "", "", None]  # nothing below the maps is open
        for name, before, colormap, after in (("answer", [5], "turbo", []), ("show", [], "gray", below)):
            html = self.page_event(
                self.events[name], [*before, held, "C5", "mean", 0, "each", colormap, 0, True, 0, *after]
            )
            pictures = re.findall(r"data:image/jpeg;base64,([\w+/=]+)", str(html))
            tags = {tag_of(base64.b64decode(picture)) for picture in pictures}
            if tags != {tag}:
                raise WrongAnswerError(f"asked about {tag}, saw {tags}")
            self.wait()

    @task(1)
    def export(self) -> None:
        """Several photos, one of them no photo, as a ZIP file."""
        tags = [random.randrange(1, 2**16) for _ in range(3)]
        photos = [self.upload(f"photo-{tag}.jpg", tagged_photo(tag)) for tag in tags]
        found = self.call("batch", [[*photos, self.upload("bad.jpg", b"text")], 2, "crop", "server", False, False])
        names = [photo["image"] for photo in found[0]["photos"]]
        if names != [*(f"photo-{tag}.jpg" for tag in tags), "bad.jpg"] or "error" not in found[0]["photos"][3]:
            raise WrongAnswerError(f"exported {tags}, received {names}")
        content = self.client.get(f"/gradio_api/file={found[1]['path']}", name="ZIP").content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            table = archive.read(next(name for name in archive.namelist() if name.endswith("predictions.csv"))).decode()
        if any(f"photo-{tag}.jpg" not in table for tag in tags):
            raise WrongAnswerError("the ZIP file is another visitor's")

    @task(2)
    def send_garbage(self) -> None:
        """Send a file that is not a photo; the error message must name it."""
        tag = next(numbers)
        name = f"garbage-{tag}.jpg"
        found = self.call("classify", [self.upload(name, garbage(tag)), 5, "crop", "server"])
        if name not in str(found) or "predictions" in str(found):
            raise WrongAnswerError(f"garbage was answered with {str(found)[:200]}")
        found = self.call("classify", [self.upload("photo.jpg", tagged_photo(tag)), "many", "crop", "server"])
        if "number of classes must be 1 to 20; received 'many'" not in str(found):
            raise WrongAnswerError(f"a wrong number was answered with {str(found)[:200]}")

    @task(2)
    def leave_in_the_middle(self) -> None:
        """Ask, and hang up before the answer comes."""
        tag = random.randrange(1, 2**16)
        photo = self.upload(f"photo-{tag}.jpg", tagged_photo(tag))
        body = {"data": [photo, 5, "crop", "server"]}
        path = f"/gradio_api/call/classify/{self.ask('/gradio_api/call/classify', body, 'classify: ask')}"
        with self.client.get(path, name="hung up", stream=True, catch_response=True) as response:
            response.success()
