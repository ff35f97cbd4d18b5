"""The public endpoints, used as a program uses them."""

import base64
import zipfile
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from resnet.maps.channels import rank_channels, trace_blocks
from resnet.maps.evidence import find_evidence
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.output.report import as_dictionary
from resnet.photo.images import read_photo
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
    assert sorted(endpoints["named_endpoints"]) == [
        "/batch", "/channels", "/classify", "/compare", "/elsewhere", "/evidence", "/explain", "/flight", "/hide",
        "/hold", "/inside", "/parts",
    ]  # fmt: skip
    assert endpoints["unnamed_endpoints"] == {}


def test_every_parameter_is_described(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    names = [parameter["parameter_name"] for parameter in endpoints["/explain"]["parameters"]]
    assert names == [
        "photo", "top_k", "framing", "weights", "map", "channel", "colormap", "scale", "opacity", "smooth",
        "cut",
    ]  # fmt: skip
    for endpoint in endpoints.values():
        assert endpoint["description"]
        assert all(parameter["type"] for parameter in endpoint["parameters"])
        assert len(endpoint["returns"]) == (1 if endpoint is endpoints["/classify"] else 2)


def test_classify_answers_as_the_program_does(client, engine):
    result = client.predict(handle_file(str(ESPRESSO)), 3, "whole", api_name="/classify")
    expected = as_dictionary(observe(read_photo(ESPRESSO), engine, "whole"), ViewOptions(), 3)
    assert without_time(result) == without_time(expected)
    assert result["predictions"][0]["label"] == "espresso"
    assert result["image"] == "espresso.jpg"


def test_the_parts_of_a_stage(client):
    result, (picture,) = client.predict(handle_file(str(ESPRESSO)), count=3, api_name="/parts")
    assert len(result["parts"]) == 3
    assert 0.5 < result["explained"] < 1
    assert sum(part["area"] for part in result["parts"]) == pytest.approx(1, abs=0.02)
    assert [len(part["predictions"]) for part in result["parts"]] == [3, 3, 3]
    assert "espresso" in [part["predictions"][0]["label"] for part in result["parts"]]
    assert Image.open(picture["image"]).width == 600
    result, _ = client.predict(handle_file(str(ESPRESSO)), stage="C2", count=2, api_name="/parts")
    assert [part["predictions"] for part in result["parts"]] == [None, None]
    with pytest.raises(AppError, match="number of parts must be 2 to 8; received 1"):
        client.predict(handle_file(str(ESPRESSO)), count=1, api_name="/parts")


def test_the_inside_of_a_block(client):
    options = {"stage": "C3", "block": 1, "channel": 5, "step": "2_relu", "row": 3, "column": 4}
    result, pictures = client.predict(handle_file(str(ESPRESSO)), api_name="/inside", **options)
    names = ["input", "1_conv", "1_relu", "2_conv", "2_relu", "3_conv", "0_conv", "add", "out"]
    assert [step["name"] for step in result["steps"]] == [picture["caption"] for picture in pictures] == names
    assert result["block"] == "conv3_block1"
    worked = result["worked_out"]
    before = worked["before_relu"]
    assert worked["value"] == pytest.approx(max(before["value"], 0))
    assert sum(before["parts"]) == pytest.approx(before["value"], abs=1e-3 * abs(before["parts"][0]))
    assert (before["products"], len(before["largest"]), len(before["window"])) == (9 * 128, 5, 3)
    with pytest.raises(AppError, match="The step must be one of input, 1_conv"):
        client.predict(handle_file(str(ESPRESSO)), step="4_conv", api_name="/inside")
    result, pictures = client.predict(handle_file(str(ESPRESSO)), stage="C1", api_name="/inside")
    assert [step["kind"] for step in result["steps"]] == ["input", "convolution", "relu", "pooling"]
    assert result["worked_out"] is None


def test_a_cut_gives_the_box_of_the_largest_piece(client):
    result, _ = client.predict(handle_file(str(ESPRESSO)), cut=0.6, api_name="/explain")
    left, _, right, _ = result["input"]["seen"]
    for stage in result["stages"]:
        cut = stage["cut"]
        assert cut["above"] == pytest.approx(stage["min"] + 0.6 * (stage["max"] - stage["min"]), rel=1e-4)
        assert 0 < cut["area"] < 0.9
        assert left <= cut["box"][0] < cut["box"][2] <= right + 1e-6
    whole, _ = client.predict(handle_file(str(ESPRESSO)), api_name="/explain")
    assert [stage["cut"] for stage in whole["stages"]] == [None] * 5


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
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "is (damaged|not a picture)"),
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
        ({"weights": "other"}, "weights must be one of server, bundled, imagenet; received 'other'"),
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
    answer = httpx.post(call, json={"data": [photo, 5, "crop", "server"]})
    assert answer.status_code == 403
    assert "no longer on the server" in answer.json()["detail"]  # whether there is such a file or not
    assert httpx.get(f"{server}gradio_api/file={path}").status_code in (403, 404)


def test_channels_of_a_block(client, engine):
    result, pictures = client.predict(
        handle_file(str(ESPRESSO)), stage="C4", block=7, order="max", count=4, api_name="/channels"
    )
    trace = trace_blocks(observe(read_photo(ESPRESSO), engine), engine)
    values = trace.outputs[trace.place("C4", 7)]
    assert (result["block"], result["shape"]) == ("conv4_block7", list(values.shape))
    assert [one["channel"] for one in result["channels"]] == list(rank_channels(values, "max", 4))
    assert result["channels"][0]["max"] == pytest.approx(float(values.max()))
    assert [one["branch_to_shortcut"] for one in result["blocks"]] == pytest.approx(trace.changes.tolist(), rel=1e-4)
    assert len(pictures) == 4


def test_a_flight_shows_the_map_after_each_block(client, engine):
    result, animation = client.predict(handle_file(str(ESPRESSO)), map="max", api_name="/flight")
    trace = trace_blocks(observe(read_photo(ESPRESSO), engine), engine)
    assert [block["name"] for block in result["blocks"]] == [block.name for block in trace.blocks]
    highest = [float(values.max()) for values in trace.outputs]
    assert [block["max"] for block in result["blocks"]] == pytest.approx(highest, rel=1e-4)
    with Image.open(animation) as picture:
        assert (picture.format, picture.n_frames) == ("GIF", 34)


def test_channels_by_contribution_name_the_class(client):
    result, _ = client.predict(
        handle_file(str(ESPRESSO)), order="contribution", class_name="goldfish", count=8, api_name="/channels"
    )
    contributions = [one["contribution"] for one in result["channels"]]
    assert result["class"] == "goldfish"
    assert contributions == sorted(contributions, reverse=True)


def test_evidence_for_named_classes(client, engine):
    result, pictures = client.predict(
        handle_file(str(ESPRESSO)), classes="espresso; n01443537", method="gradcam", api_name="/evidence"
    )
    observation = observe(read_photo(ESPRESSO), engine)
    index = observation.predictions(1)[0].index
    expected = find_evidence(observation, engine, [index])
    first, second = result["classes"]
    assert (first["label"], second["label"]) == ("espresso", "goldfish")
    assert first["logit"] == pytest.approx(float(expected.logits[index]), rel=1e-4)
    sums = [float(values.sum()) for values in expected.maps["gradcam"][0]]
    assert [stage["sum"] for stage in first["stages"]] == pytest.approx(sums, rel=1e-3, abs=1e-3)
    assert [picture["caption"] for picture in pictures[:2]] == ["espresso, C1", "espresso, C2"]
    assert len(pictures) == 10


def test_hiding_and_curves(client):
    result, picture = client.predict(
        handle_file(str(ESPRESSO)), map="gradcam", percent=30, fill="mean", curves=True, api_name="/hold"
    )
    assert result["class"] == "espresso"
    assert result["hidden_share"] == pytest.approx(0.3, abs=1e-4)
    assert result["probability_after"] < result["probability_before"]
    assert result["deletion"]["probabilities"][0] == pytest.approx(result["probability_before"], abs=1e-4)
    moved = result["moved_copies"]
    assert 0 <= moved["hides_more_than"] <= len(moved["copies"]) == 20
    assert moved["hides_more_than"] == sum(copy > moved["probability"] for copy in moved["copies"])
    assert Image.open(picture).size == (128, 128)


def test_a_drawing_is_hidden_against_as_much_of_a_map(client):
    drawing = [{"box": [150, 100, 450, 300]}, {"line": [[160, 320], [300, 340]], "width": 30}]
    result, pictures = client.predict(
        handle_file(str(ESPRESSO)), drawing, against="hirescam", class_name="espresso", api_name="/hide"
    )
    assert result["drawing"] == drawing
    assert result["class"] == "espresso"
    with Image.open(ESPRESSO) as photo:
        seen = min(photo.size) ** 2  # of the centre square
    assert result["hidden_share"] == pytest.approx(300 * 200 / seen, rel=0.12)  # the line adds about a tenth
    assert result["predictions_after"][0]["probability"] >= result["probability_after"]
    takes = result["map"]["probability_after"] - result["probability_after"]
    assert result["takes_more"] == ("none" if abs(takes) <= 0.005 else "you" if takes > 0 else "map")
    assert [picture["caption"] for picture in pictures] == ["drawing", "hirescam, C5"]
    hidden, _ = client.predict(handle_file(str(ESPRESSO)), percent=100 * result["hidden_share"], api_name="/hold")
    assert hidden["probability_after"] == pytest.approx(result["map"]["probability_after"], abs=1e-4)


@pytest.mark.parametrize(
    ("drawing", "options", "sentence"),
    [
        ([], {}, "Draw at least one shape to hide; received none"),
        ([{"box": [1, 2]}], {}, "A shape is a box"),
        ([{"box": [0, 0, 9, 9]}], {"against": "pca"}, "map must be one of , gradcam"),
        ([{"box": [0, 0, 9, 9]}], {"fill": "black"}, "fill must be one of blur, mean; received 'black'"),
        ([{"box": [0, 0, 9, 9]}], {"class_name": "unicorn"}, "have no class 'unicorn'"),
    ],
    ids=str,
)
def test_what_cannot_be_hidden_is_named(client, drawing, options, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(str(ESPRESSO)), drawing, api_name="/hide", **options)


def test_like_cells_are_found_in_the_examples_and_in_another_photo(client):
    result, pictures = client.predict(handle_file(str(ESPRESSO)), 290, 150, stage="C5", api_name="/elsewhere")
    left, top, right, bottom = result["cell"]["box"]
    assert left <= 290 <= right
    assert top <= 150 <= bottom
    names = [photo["image"] for photo in result["photos"]]
    assert names[0] == "espresso.jpg"
    assert sorted(names) == sorted(path.name for path in (ASSETS / "examples").glob("*.jpg"))
    best = [photo["matches"][0]["cosine"] for photo in result["photos"][1:]]
    assert best == sorted(best, reverse=True)
    assert [picture["caption"] for picture in pictures] == names
    other = handle_file(str(ASSETS / "examples" / "cat.jpg"))
    again, _ = client.predict(handle_file(str(ESPRESSO)), 290, 150, stage="C5", other=other, api_name="/elsewhere")
    assert [photo["image"] for photo in again["photos"]] == ["espresso.jpg", "cat.jpg"]
    assert again["photos"][1]["cosines"] == result["photos"][names.index("cat.jpg")]["cosines"]


def test_a_comparison_with_a_change_and_with_another_photo(client):
    result, picture = client.predict(handle_file(str(ESPRESSO)), change="grey", amount=0, api_name="/compare")
    assert result["change"] == {"name": "grey", "amount": 0}
    assert [stage["linear_cka"] for stage in result["stages"]] == pytest.approx([1] * 5)
    assert Image.open(picture).width > 1000
    other = handle_file(str(ASSETS / "examples" / "cat.jpg"))
    result, _ = client.predict(handle_file(str(ESPRESSO)), other, api_name="/compare")
    assert (result["other"], result["change"]) == ("cat.jpg", None)
    assert result["stages"][4]["cosine"] < 0.99


def test_a_batch_with_a_bad_photo(client, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no photo")
    files = [handle_file(str(path)) for path in (ESPRESSO, bad)]
    result, packed = client.predict(files, 1, api_name="/batch")
    first, second = result["photos"]
    assert first["predictions"][0]["label"] == "espresso"
    assert "bad.jpg is text, not a photo" in second["error"]
    with zipfile.ZipFile(packed) as archive:
        assert "predictions.csv" in archive.namelist()


@pytest.mark.parametrize(
    ("endpoint", "options", "sentence"),
    [
        ("/channels", {"stage": "C9"}, "stage must be one of C1, C2, C3, C4, C5; received 'C9'"),
        ("/channels", {"stage": "C1", "block": 2}, "block must be 1 to 1; received 2"),
        ("/channels", {"count": 2}, "number of channels must be 4 to 64; received 2"),
        ("/channels", {"order": "contribution", "class_name": "unicorn"}, "have no class 'unicorn'"),
        ("/evidence", {"method": "cam"}, "method must be one of gradcam, "),
        ("/evidence", {"classes": "espresso;" * 12}, "Evidence takes 1 to 10 classes; received 13"),
        ("/evidence", {"top_k": 11}, "number of classes must be 1 to 10; received 11"),
        ("/elsewhere", {"x": 5, "y": 5}, "x coordinate must be 100 to 500; received 5"),
        ("/elsewhere", {"x": 300, "y": 900}, "y coordinate must be 0 to 400; received 900"),
        ("/elsewhere", {"x": 300, "y": 200, "stage": "C6"}, "stage must be one of C1"),
        ("/hold", {"percent": -1}, "hidden part in percent must be 0 to 100; received -1"),
        ("/hold", {"map": "pca"}, "map must be one of gradcam, "),
        ("/hold", {"curves": 1}, "curves must be true or false; received 1"),
        ("/compare", {"change": "melt"}, "change must be one of rotate, "),
        ("/compare", {"amount": "much"}, "amount of the change must be -180 to 180; received 'much'"),
    ],
    ids=str,
)
def test_wrong_options_of_the_other_endpoints_are_named(client, endpoint, options, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(str(ESPRESSO)), api_name=endpoint, **options)


def test_an_empty_batch_is_named(client):
    with pytest.raises(AppError, match="A batch takes 1 to 200 photos; received 0"):
        client.predict([], api_name="/batch")


@pytest.mark.parametrize(
    "photos",
    [
        ["/etc/passwd"],
        [{"path": "/etc/passwd"}],
        [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}],
        [{"path": str(ESPRESSO), "meta": {"_type": "gradio.FileData", "x": 1}}],
        ["file:///etc/passwd"],
        ["http://127.0.0.1:1/x.jpg"],
        "/etc/passwd",
        {"path": "/etc/passwd"},
    ],
    ids=str,
)
def test_a_batch_reads_no_files_of_the_server(server, photos):
    call = f"{server}gradio_api/call/batch"
    asked = httpx.post(call, json={"data": [photos, 1, "crop", "server", False, False]})
    if asked.status_code == 403:
        sentence = asked.json()["detail"]
        assert "does not fetch addresses" in sentence or "no longer on the server" in sentence
        return
    answer = httpx.get(f"{call}/{asked.json()['event_id']}", timeout=30).text
    assert answer.startswith("event: error")
    assert "predictions" not in answer


def test_values_of_any_length_get_a_short_sentence(client):
    with pytest.raises(AppError) as raised:
        client.predict(handle_file(str(ESPRESSO)), framing="x" * 100_000, api_name="/classify")
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "options", [{"percent": [1]}, {"percent": {"a": 1}}, {"fill": ["blur"]}, {"fill": {}}], ids=str
)
def test_lists_where_a_value_belongs_are_named(client, options):
    with pytest.raises(AppError, match="must be"):
        client.predict(handle_file(str(ESPRESSO)), api_name="/hold", **options)


CONTENT = ESPRESSO.read_bytes() + b"\0" * (1 - len(ESPRESSO.read_bytes()) % 3 % 2)
TEXT = base64.b64encode(CONTENT + b"\0" * (len(CONTENT) % 3 == 0)).decode()


@pytest.mark.parametrize(
    "url",
    [
        "data:image/jpeg;base64," + TEXT,
        "data:image/jpeg;base64," + "\r\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76)),
        "data:image/jpeg;base64," + TEXT.rstrip("="),
        "data:image/jpeg;base64," + quote(TEXT, safe=""),
        "data:image/jpeg;base64, " + TEXT,
        "DATA:Image/JPEG;Base64," + TEXT,
        "data:image/jpeg;base64," + TEXT.replace("+", "-").replace("/", "_"),
        "data:image/jpeg;charset=utf-8;base64," + TEXT,
        "data:;base64," + TEXT,
        "data:image/jpeg," + quote(CONTENT),
        " data:image/jpeg;base64," + TEXT,
    ],
    ids=["plain", "lines", "no padding", "percent", "blank", "capitals", "for addresses", "parameter", "no type",
         "no base64", "blank before"],
)  # fmt: skip
def test_data_urls_are_taken_as_browsers_take_them(server, url):
    for endpoint, values in (
        ("classify", [{"url": url, "meta": {"_type": "gradio.FileData"}}, 1, "crop", "server"]),
        ("batch", [[url], 1, "crop", "server", False, False]),
    ):
        event = httpx.post(f"{server}gradio_api/call/{endpoint}", json={"data": values}).json()["event_id"]
        text = httpx.get(f"{server}gradio_api/call/{endpoint}/{event}", timeout=60).text
        assert "event: complete" in text, text
        assert "espresso" in text


def test_the_webcam_does_not_mirror(server):
    config = httpx.get(f"{server}config").json()
    taken = {component for dependency in config["dependencies"] for component in dependency["inputs"]}
    cameras = [
        component["props"]["webcam_options"]["mirror"]
        for component in config["components"]
        if component["id"] in taken and "webcam" in (component["props"].get("sources") or [])
    ]
    assert cameras == [False] * len(cameras) != []
