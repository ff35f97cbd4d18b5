"""Preview of a shared link on other sites: title, description, and a card that the network has drawn.

Gradio's page has its own in their place, and whoever only reads the page's head runs none of its scripts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from threading import Lock

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resnet.errors import ResNetError
from resnet.output.card import CARD_SIZE, card_jpeg
from resnet.service.explorer import Explorer, Key, Source
from resnet.ui.language import Language

CARD = "card.jpg"
"""Where the card is, below the page's address."""

_META = re.compile(rb"<meta\s[^<>]*>")
_THEIRS = (b'property="og:', b'name="twitter:')
_HEAD_ENDS = b"window.gradio_config"  # what visitors see in the page's own data is not for us to change
_LANGUAGE = re.compile(rb'(<html\s+lang=")[^"]*')
_FIRST = b'<meta charset="utf-8" />'


class Preview:
    """Middleware that puts our own head into the page, in the page's language."""

    def __init__(self, app: ASGIApp, languages: Sequence[Language], title: str, description: str) -> None:
        """Wrap an application.

        Args:
            app: The application.
            languages: One page each, at its route.
            title: Of the page, in English.
            description: One or two sentences about it, in English.
        """
        self._app = app
        self._pages = {f"/{language.route}": language for language in languages}
        self._title, self._description = title, description

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        language = self._pages.get("/" + path.strip("/"))
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or language is None:
            await self._app(scope, receive, send)
            return
        if language.route and path.endswith("/"):
            # Gradio's own redirection loses the query, and the path that a proxy puts before all.
            query = scope.get("query_string", b"").decode("latin-1")
            await RedirectResponse(f"../{language.route}{'?' if query else ''}{query}", 308)(scope, receive, send)
            return
        start: Message = {}
        parts: list[bytes] = []

        async def send_at_the_end(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            content = b"".join(parts)
            headers = MutableHeaders(raw=start["headers"])
            if start["status"] == 200 and headers.get("content-type", "").startswith("text/html") and content:
                content = self._with_head(content, language, Request(scope))
                headers["content-length"] = str(len(content))
            await send(start)
            await send({"type": "http.response.body", "body": content})

        await self._app(scope, receive, send_at_the_end)

    def _with_head(self, page: bytes, language: Language, request: Request) -> bytes:
        """Return the page with our head."""
        head, data, rest = page.partition(_HEAD_ENDS)
        head = _META.sub(lambda found: b"" if any(name in found[0] for name in _THEIRS) else found[0], head)
        head = _LANGUAGE.sub(rb"\g<1>" + language.code.encode(), head, count=1)
        ours = _FIRST + self._head(language, _address(request, language.route)).encode()
        return head.replace(_FIRST, ours, 1) + data + rest

    def _head(self, language: Language, address: str) -> str:
        title, description = language(self._title), language(self._description)
        card = address.removesuffix(language.route) + CARD
        properties = {
            "og:type": "website", "og:url": address, "og:title": title, "og:description": description,
            "og:image": card, "og:image:type": "image/jpeg", "og:image:width": CARD_SIZE[0],
            "og:image:height": CARD_SIZE[1], "og:image:alt": title, "og:locale": language.code,
        }  # fmt: skip
        names = {
            "description": description, "twitter:card": "summary_large_image", "twitter:title": title,
            "twitter:description": description, "twitter:image": card,
        }  # fmt: skip
        lines = [f"<title>{escape(title)}</title>"]
        lines += [f'<meta property="{name}" content="{escape(str(value))}" />' for name, value in properties.items()]
        lines += [f'<meta name="{name}" content="{escape(value)}" />' for name, value in names.items()]
        return "\n\t\t" + "\n\t\t".join(lines)


def _address(request: Request, route: str) -> str:
    """Return the page's own address, as whoever asks sees it: a proxy says which scheme and name it has."""

    def forwarded(what: str) -> str:
        return request.headers.get(f"x-forwarded-{what}", "").split(",")[0].strip()

    scheme = forwarded("proto") if forwarded("proto") in ("http", "https") else request.url.scheme
    host = forwarded("host") or request.url.netloc
    return f"{scheme}://{host}{request.scope.get('root_path', '').rstrip('/')}/{route}"


def card_route(explorer: Explorer, photo: str, title: str) -> BaseRoute:
    """Return the route of the card, which is drawn when it is first asked for, once for each weights.

    Args:
        explorer: What asks the network.
        photo: Path of the photo that it shows.
        title: Stands on it.
    """
    lock = Lock()
    drawn: dict[Key, bytes] = {}

    def card(_: Request) -> Response:
        if explorer.provider.status.phase != "ready":
            return PlainTextResponse("The weights are being loaded.", 503, {"Retry-After": "10"})
        try:
            shown, observation = explorer.observe(Source(photo))
        except ResNetError as error:
            return PlainTextResponse(str(error), 503)
        with lock:
            if shown.key not in drawn:  # also after other weights have come
                drawn.clear()
                drawn[shown.key] = card_jpeg(observation, title)
            content = drawn[shown.key]
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "public, max-age=3600"})

    return Route(f"/{CARD}", card)
