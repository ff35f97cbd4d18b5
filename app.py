"""The Space's entry: `python app.py [--weights … --host … --port …]`."""

from __future__ import annotations

import argparse
import logging
import os
import platform
import signal
import sys
from urllib.request import getproxies

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
# Statistics of the last 10,000 events, made anew after each in 3 to 10 ms; /metrics has what they would say.
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
# NumPy multiplies small matrices here, once a map: two threads at it wait for each other, and long where other
# visitors' forward passes keep the cores busy. Read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# This process never changes the weights of a network that runs: oneDNN then puts them in order once, not at each pass.
os.environ.setdefault("TF_ONEDNN_ASSUME_FROZEN_WEIGHTS", "1")
# By itself TensorFlow takes oneDNN only on newer processors; with weights in order it is faster on older ones as well.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from resnet.errors import ResNetError
from resnet.logs import write_logs
from resnet.network.precision import chosen_precision
from resnet.network.sources import check_choice
from resnet.service.provider import EngineProvider
from resnet.service.temporary import temporary_folder


def main() -> int:
    """Start the page and serve until interrupted."""
    parser = argparse.ArgumentParser(description="A web page that shows what a ResNet101 sees.")
    parser.add_argument(
        "--weights",
        default=os.environ.get("RESNET_WEIGHTS") or "auto",
        help="auto, bundled, imagenet, or the path of weights (default: $RESNET_WEIGHTS, else auto)",
    )
    parser.add_argument(
        "--offer",
        action="append",
        default=[],
        metavar="PATH",
        help="further weights that visitors may choose in the tab Model; can be given several times",
    )
    parser.add_argument("--host", help="address to listen on (default: $GRADIO_SERVER_NAME, else 127.0.0.1)")
    parser.add_argument("--port", type=_port, help="port (default: $GRADIO_SERVER_PORT, else 7860)")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="further name under which the page is reached, such as a proxy's; can be given several times",
    )
    parser.add_argument(
        "--fetch-addresses",
        action="store_true",
        help="fetch photos from public addresses that programs and language models send, also where others reach the "
        "page; a page on this machine alone does so anyway",
    )
    parser.add_argument(
        "--camera",
        action="store_true",
        help="offer the live camera also where others reach the page; a page on this machine alone does so anyway",
    )
    options = parser.parse_args()
    # Gradio, when it is imported, also takes this for where to look for a free port, which it can't for IPv6.
    host = os.environ.pop("GRADIO_SERVER_NAME", None)
    options.host = options.host or host
    _reach_oneself(options.host)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)  # until the server is up and can end better
    write_logs(logging.WARNING)
    logging.getLogger("resnet").setLevel(logging.INFO)
    if os.environ.get("RESNET_RUNTIME"):
        logging.warning("RESNET_RUNTIME does nothing any more: TensorFlow computes every forward pass.")
    try:
        check_choice(options.weights)
        chosen_precision()
        provider = EngineProvider(options.weights, options.offer)
        with temporary_folder() as folder:
            # Gradio decides where it keeps files when it is imported.
            from resnet.ui.lifetime import serve

            serve(
                provider,
                folder,
                options.host,
                options.port,
                options.name,
                fetch=options.fetch_addresses,
                camera=options.camera,
            )
    except ResNetError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"app.py: The page cannot be served: {error}", file=sys.stderr)
        return 2
    return 0


def _reach_oneself(host: str | None) -> None:
    """Leave out of the proxy, where one is set, the server itself, which Gradio and language models' tools ask."""
    proxies = getproxies()
    own = ["localhost", "127.0.0.1", "::1", *([host.strip("[]")] if host else [])]
    excluded = proxies.pop("no", "")
    if proxies and excluded.strip() != "*":  # which excludes everything, but only alone
        for scheme, address in proxies.items():  # the system's as well, which a variable would hide
            os.environ.setdefault(f"{scheme}_proxy", address)
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*filter(None, [excluded]), *own])


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"must be 1 to 65535; received {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
