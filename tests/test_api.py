"""The public endpoints, used as a program uses them."""

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from resnet.explain import observe
from resnet.heatmaps import ViewOptions
from resnet.images import read_photo
from resnet.labels import ASSETS
from resnet.report import as_dictionary
from resnet.ui.markup import LARGE_SIDE

ESPRESSO = ASSETS / "examples" / "espresso.jpg"


@pytest.fixture(scope="module")
def client(server):
    client = Client(server, verbose=False)
    yield client
    client.close()


def without_time(result):
    return {key: value for key, value in result.items() if key not in ("milliseconds", "image")}


def test_only_the_public_endpoints_are_listed(client):
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert sorted(endpoints["named_endpoints"]) == ["/classify", "/explain"]
    assert endpoints["unnamed_endpoints"] == {}


def test_every_parameter_is_described(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    names = [parameter["parameter_name"] for parameter in endpoints["/explain"]["parameters"]]
    assert names == ["photo", "top_k", "framing", "map", "channel", "colormap", "scale", "opacity", "smooth"]
    for endpoint in endpoints.values():
        assert endpoint["description"]
        assert all(len(parameter["label"]) > 15 for parameter in endpoint["parameters"])
        assert all(len(value["label"]) > 15 for value in endpoint["returns"])


def test_classify_answers_as_the_program_does(client, engine):
    result = client.predict(handle_file(str(ESPRESSO)), 3, "whole", api_name="/classify")
    expected = as_dictionary(observe(read_photo(ESPRESSO), engine, "whole"), ViewOptions(), 3)
    assert without_time(result) == without_time(expected)
    assert result["predictions"][0]["label"] == "espresso"
    assert result["image"] == "espresso.jpg"


def test_explain_gives_five_overlays(client, engine):
    view = {"map": "max", "colormap": "magma", "scale": "shared", "opacity": 1, "smooth": False}
    result, pictures = client.predict(handle_file(str(ESPRESSO)), api_name="/explain", **view)
    assert result["map"] == "maximum of the channels"
    assert [picture["caption"] for picture in pictures] == ["C1", "C2", "C3", "C4", "C5"]
    options = ViewOptions("max", colormap="magma", scale="shared", opacity=1, smooth=False)
    observation = observe(read_photo(ESPRESSO), engine)
    for picture, heatmap in zip(pictures, observation.heatmaps(options), strict=True):
        received = np.asarray(Image.open(picture["image"]).convert("RGB"), float)
        expected = np.asarray(observation.overlay(heatmap, options, LARGE_SIDE), float)
        assert received.shape == expected.shape
        assert np.abs(received - expected).mean() < 6  # JPEG


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"just text", "is text, not a photo"),
        (b"", r"is empty \(0 bytes\)"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "is (damaged|no picture)"),
    ],
    ids=["text", "empty", "broken"],
)
def test_a_bad_photo_gets_a_sentence_and_the_next_one_works(client, tmp_path, content, sentence):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(content)
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(str(bad)), api_name="/classify")
    assert client.predict(handle_file(str(ESPRESSO)), api_name="/classify")["predictions"]


def test_a_file_name_is_never_markup(client, tmp_path):
    bad = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    bad.write_bytes(b"just text")
    with pytest.raises(AppError) as raised:
        client.predict(handle_file(str(bad)), api_name="/classify")
    assert "<img" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"top_k": 0}, "number of classes must be 1 to 20; received 0"),
        ({"top_k": 21}, "number of classes must be 1 to 20; received 21"),
        ({"top_k": 2.5}, "number of classes must be a whole number; received 2.5"),
        ({"top_k": None}, "number of classes must be 1 to 20; received None"),
        ({"top_k": "x"}, "number of classes must be 1 to 20; received 'x'"),
        ({"top_k": True}, "number of classes must be 1 to 20; received True"),
        ({"top_k": 10**30}, "number of classes must be 1 to 20; received 1000"),
        ({"framing": "tile"}, "framing must be one of crop, whole; received 'tile'"),
        ({"framing": ["crop"]}, "framing must be one of crop, whole"),
        ({"map": "median"}, "map must be one of mean, max, l2, channel, pca; received 'median'"),
        ({"colormap": "jet"}, "colormap must be one of turbo"),
        ({"scale": None}, "scale must be one of each, shared; received None"),
        ({"opacity": 7}, "opacity must be 0 to 1; received 7"),
        ({"opacity": [1]}, "opacity must be 0 to 1"),
        ({"channel": -1}, "channel must be 0 to 2047; received -1"),
        ({"smooth": "no"}, "smoothness must be true or false; received 'no'"),
    ],
    ids=str,
)
def test_wrong_options_are_named(client, options, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(str(ESPRESSO)), api_name="/explain", **options)


def test_nobody_learns_what_another_called_the_same_photo(client, tmp_path):
    for name in ("secret-of-alice.jpg", "bob.jpg"):
        path = tmp_path / name
        path.write_bytes((ASSETS / "examples" / "pagoda.jpg").read_bytes())
        assert client.predict(handle_file(str(path)), api_name="/classify")["image"] == name


def test_a_photo_is_needed(client):
    with pytest.raises(AppError, match="A photo is needed"):
        client.predict(None, api_name="/classify")


def test_a_data_url_is_decoded(client):
    import base64

    url = "data:image/jpeg;base64," + base64.b64encode(ESPRESSO.read_bytes()).decode()
    photo = {"path": None, "url": url, "meta": {"_type": "gradio.FileData"}}
    assert url.startswith("data:image/jpeg")
    result = client.predict(photo, api_name="/classify")
    assert result["predictions"][0]["label"] == "espresso"


@pytest.mark.parametrize("path", ["/etc/passwd", "app.py", str(ESPRESSO), "../../../etc/passwd"])
def test_files_of_the_server_cannot_be_read(server, path):
    photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
    call = f"{server}gradio_api/call/classify"
    event = httpx.post(call, json={"data": [photo, 5, "crop"]}).json()["event_id"]
    answer = httpx.get(f"{call}/{event}", timeout=30).text
    assert answer.startswith("event: error")
    assert "predictions" not in answer
    assert httpx.get(f"{server}gradio_api/file={path}").status_code in (403, 404)
