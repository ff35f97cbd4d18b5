"""Fifty visitors at once: is anything lost or mixed up, how long does it take, does memory stay flat?

    python -m benchmarks.load [--visitors N] [--minutes M] [--json]

Starts a server of its own on this machine, lets visitors come (see `visitors.py`), and ends after the
minutes. At the end a photo must get exactly the answer that it got before. Exit status 1 if anything was
wrong. Needs `requirements-load.txt`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Locust replaces blocking calls by cooperative ones, which must come before anything else is imported.
import locust.env  # isort: skip
import gevent
import psutil
import requests

from benchmarks.served import numbers, start_server
from benchmarks.visitors import Visitor, WrongAnswerError, answered, refused, tagged_photo


def wait_until_ready(url: str) -> None:
    """Until the weights are loaded."""
    for _ in range(600):
        try:
            if requests.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.2)
    raise SystemExit("The server did not become ready.")


def reference(url: str) -> str:
    """The whole answer to one photo, without its time."""
    files = {"files": ("reference.jpg", tagged_photo(0xA5C3))}
    path = requests.post(f"{url}/gradio_api/upload", files=files, timeout=60).json()[0]
    photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
    values = {"data": [photo, 20, "crop", "server"]}
    event = requests.post(f"{url}/gradio_api/call/classify", json=values, timeout=60).json()["event_id"]
    answer = requests.get(f"{url}/gradio_api/call/classify/{event}", timeout=120).text
    found = json.loads(answer.strip().rsplit("data: ", 1)[1])[0]
    found.pop("milliseconds")
    return json.dumps(found, sort_keys=True)


def run(visitors: int, minutes: float) -> tuple[dict[str, Any], list[str]]:
    """Run the visitors; return the figures and the errors."""
    logging.getLogger("locust").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "temporary"
        folder.mkdir()
        server, url = start_server(folder, folder.parent / "server.log")
        try:
            wait_until_ready(url)
            before = reference(url)
            environment = locust.env.Environment(user_classes=[Visitor], host=url)
            faults: list[str] = []
            environment.events.user_error.add_listener(
                lambda exception, **_: faults.append(f"{type(exception).__name__}: {exception}")
            )
            runner = environment.create_local_runner()
            process = psutil.Process(server.pid)
            memory: list[tuple[int, int]] = []
            largest = 0
            runner.start(visitors, spawn_rate=5)
            ends = time.monotonic() + minutes * 60
            while time.monotonic() < ends and server.poll() is None:
                gevent.sleep(1)
                memory.append((len(answered), process.memory_info().rss))
                largest = max(largest, folder_bytes(folder))
            runner.quit()
            if server.poll() is not None:
                raise SystemExit("The server ended:\n" + (folder.parent / "server.log").read_text()[-3000:])
            gevent.sleep(15)  # what visitors left behind is worked off
            try:
                after = reference(url)
            except (requests.RequestException, KeyError, ValueError, IndexError) as error:
                after = f"{type(error).__name__}: {error}"
            counted = numbers(requests.get(f"{url}/metrics", timeout=60).text)
        finally:
            server.send_signal(signal.SIGTERM)
            ended = server.wait(60)
        left = [str(path.relative_to(folder)) for path in folder.rglob("*")]
        log = (folder.parent / "server.log").read_text(errors="replace")
    wrong = [fault for fault in faults if WrongAnswerError.__name__ in fault or "Error" in fault]
    wrong += [f"{entry.name}: {entry.error}, {entry.occurrences} times" for entry in runner.stats.errors.values()]
    if before != after:
        wrong.append("the reference photo got another answer at the end")
    if "Traceback" in log:
        wrong.append("the server's log holds a traceback: " + log[log.index("Traceback") :][:20_000])
    if left:
        wrong.append(f"temporary files were left: {left[:5]}")
    if ended != 0:
        wrong.append(f"the server ended with status {ended}")
    total = runner.stats.total
    kept = memory_after(memory, 50), memory_after(memory, 1000)
    figures = {
        "visitors": visitors,
        "minutes": minutes,
        "HTTP requests": total.num_requests,
        "photos answered": int(counted["resnet_photos_total"]),
        "photos per second": counted["resnet_photos_total"] / (minutes * 60),
        "images per forward pass": counted["resnet_pass_images_sum"] / counted["resnet_pass_images_count"],
        "explain, median s": quantile(answered, 0.5),
        "explain, p99 s": quantile(answered, 0.99),
        "sentences for garbage": int(counted["resnet_errors_total ImageError"]),
        "faults of the program": int(counted["resnet_errors_total Defect"]),
        "refused, queue full": len(refused),
        "memory after 50 answers, MB": kept[0] / 1e6,
        "memory after 1,000 answers, MB": kept[1] / 1e6,
        "memory at the end, MB": memory[-1][1] / 1e6,
        "temporary files, most, MB": largest / 1e6,
    }
    return figures, wrong


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder, which come and go meanwhile."""
    found = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found += Path(parent, name).lstat().st_size
    return found


def quantile(values: list[float], share: float) -> float:
    """The value below which that share of all lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def memory_after(memory: list[tuple[int, int]], answers: int) -> float:
    """Resident bytes when that many answers had been given; not a number if there were not so many."""
    return next((held for count, held in memory if count >= answers), float("nan"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures, wrong = run(options.visitors, options.minutes)
    if options.json:
        print(json.dumps({**figures, "wrong": wrong}, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:<36}{value:>12,.2f}" if isinstance(value, float) else f"{name:<36}{value:>12,}")
        print("nothing was lost or mixed up" if not wrong else "\n".join(["WRONG:", *wrong[:20]]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
