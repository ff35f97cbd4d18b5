"""The Space's entry: `python app.py [--weights … --host … --port …]`."""

from __future__ import annotations

import argparse
import logging
import os
import sys

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

from resnet.errors import ResNetError
from resnet.provider import EngineProvider, check_choice
from resnet.ui.layout import build_demo, launch_options


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
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("resnet").setLevel(logging.INFO)
    try:
        check_choice(options.weights)
        provider = EngineProvider(options.weights, options.offer)
    except ResNetError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    demo = build_demo(provider)
    provider.start()
    try:
        demo.launch(server_name=options.host, server_port=options.port, **launch_options())
    except OSError as error:
        print(f"app.py: The page cannot be served: {error}", file=sys.stderr)
        return 2
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"must be 1 to 65535; received {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
