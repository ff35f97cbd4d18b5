"""What other sites show of a link: they read the page's head and run none of its scripts."""

import io
import json
import re
from html.parser import HTMLParser

import httpx
import pytest
from PIL import Image

from resnet.output.card import CARD_SIZE, card_jpeg
from resnet.ui.language import LANGUAGES
from resnet.ui.layout import INTRODUCTION, TITLE


class Head(HTMLParser):
    """Collects what a crawler reads."""

    def __init__(self, text):
        super().__init__()
        self.language, self.titles, self.found, self._in_title = None, [], [], False
        self.feed(text.partition("<body")[0])

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self._in_title = tag == "title"
        if tag == "html":
            self.language = values.get("lang")
        if tag == "meta" and "content" in values:
            self.found.append((values.get("property") or values.get("name"), values["content"]))

    def handle_data(self, data):
        if self._in_title and data.strip():
            self.titles.append(data)

    def only(self, name):
        values = [value for known, value in self.found if known == name]
        assert len(values) == 1, (name, values)
        return values[0]


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
def test_a_shared_link_shows_the_pages_own_title_and_card_in_its_language(server, language):
    answer = httpx.get(server + language.route)
    head = Head(answer.text)
    assert head.language == language.code
    assert head.titles == [language(TITLE)]
    for name in ("og:title", "twitter:title"):
        assert head.only(name) == language(TITLE)
    for name in ("description", "og:description", "twitter:description"):
        assert head.only(name) == language(INTRODUCTION)
    assert head.only("og:url") == server + language.route
    assert head.only("og:image") == head.only("twitter:image") == f"{server}card.jpg"
    assert "gradio" not in " ".join(value for name, value in head.found if name and name[:3] in ("og:", "twi")).lower()
    # The page itself is whole.
    config = re.search(r"window.gradio_config = (.*?);</script>", answer.text, re.DOTALL)
    assert json.loads(config.group(1))["title"] == TITLE


def test_behind_a_proxy_the_addresses_are_those_of_the_proxy(server):
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": 'sees.example.org"><script>'}
    text = httpx.get(server, headers=forwarded).text
    assert Head(text).only("og:image") == 'https://sees.example.org"><script>/card.jpg'
    assert 'org"><script>' not in text.partition("<body")[0]


def test_the_card_is_a_picture_that_the_network_has_drawn(server, engine):
    answer = httpx.get(f"{server}card.jpg", timeout=60)
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == CARD_SIZE == (1200, 630)
    assert len(answer.content) < 300_000
    passes = engine.passes
    assert httpx.get(f"{server}card.jpg").content == answer.content
    assert engine.passes == passes


def test_another_answer_is_another_card(espresso_and_cat):
    one, other = (card_jpeg(found, TITLE) for found in espresso_and_cat)
    assert one != other


@pytest.fixture
def espresso_and_cat(engine):
    from resnet.maps.observation import observe
    from resnet.photo.images import read_photo
    from resnet.ui.photo import FIRST_PHOTO

    return [observe(read_photo(FIRST_PHOTO.with_name(name)), engine) for name in ("espresso.jpg", "cat.jpg")]


def test_a_slash_too_many_loses_neither_the_query_nor_the_path_before_it(server):
    answer = httpx.get(f"{server}zh/", params={"photo": "cat", "class": "tabby cat,猫"})
    assert answer.status_code == 308
    assert answer.headers["location"].startswith("../zh?")
    followed = httpx.URL("https://example.org/apps/resnet/zh/").join(answer.headers["location"])
    assert followed.path == "/apps/resnet/zh"
    assert dict(followed.params) == {"photo": "cat", "class": "tabby cat,猫"}
    assert httpx.get(f"{server}zh/", follow_redirects=True).status_code == 200


def test_the_page_has_an_icon_of_its_own(server):
    answer = httpx.get(f"{server}favicon.ico")
    assert answer.headers["content-type"].startswith("image/svg")
    assert b"<svg" in answer.content
