"""No file of the server can be read, and nothing tells whether there is one, whatever a request names."""

import json
import sys
from itertools import islice

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image

from tests.ui.test_mcp import speak

META = {"_type": "gradio.FileData"}
opened: set[str] = set()
sys.addaudithook(lambda event, values: opened.add(str(values[0])) if event == "open" else None)


def values_of(path):
    """All the ways to write a file as a value."""
    file, marked = {"path": path}, {"path": path, "meta": META}
    yield from (file, [file], marked, [marked], {**file, "url": path})
    yield from ({**marked, "url": f"file://{path}"}, {**file, "is_stream": True}, {"value": file}, path, [path])


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "private" / "plan.png"
    path.parent.mkdir()
    Image.new("RGB", (64, 64), "red").save(path)
    opened.clear()
    return str(path)


@pytest.fixture(scope="module")
def config(server):
    return httpx.get(f"{server}config").json()


def answer_of(client, dependency, data, session):
    """What the queue says at the end of an event."""
    body = {
        "data": data,
        "fn_index": dependency,
        "session_hash": session,
        "event_data": {"choice": "0", "x": 0, "y": 0},
    }
    joined = client.post("gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return joined.text
    with client.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if "process_streaming" in line:  # of a camera, which would send frames for minutes
                client.post(f"gradio_api/stream/{joined.json()['event_id']}/close")
            if "process_completed" in line or "process_streaming" in line:
                output = json.loads(line.removeprefix("data: "))["output"]
                return json.dumps([output.get("data"), output.get("error")])
    raise AssertionError("no answer")


@pytest.mark.slow
def test_no_field_of_any_event_opens_a_file_of_the_server(server, config, secret):
    """Each component that any event takes, of the page and of the endpoints, through the queue."""
    shown = {component["id"]: component["props"].get("value") for component in config["components"]}
    asked = set()
    with httpx.Client(base_url=server, timeout=60) as client:
        for dependency in config["dependencies"]:
            if not dependency["backend_fn"]:
                continue
            usual = [shown[component] for component in dependency["inputs"]]
            for place, component in enumerate(dependency["inputs"]):
                if component in asked:
                    continue
                asked.add(component)
                for number, value in enumerate(islice(values_of(secret), 5)):
                    data = [*usual[:place], value, *usual[place + 1 :]]
                    said = answer_of(client, dependency["id"], data, f"{component}-{number}")
                    assert secret not in opened, (dependency["api_name"], component, value)
                    assert "plan.png" not in said.replace(secret, ""), (dependency["api_name"], component, value)
    assert len(asked) > 60


ENDPOINTS = {
    "classify": [1, "crop", "server"],
    "explain": [1, "whole", "server", "mean", 0, "turbo", "each", 0.0, True, 0.0],
    "channels": ["C5", None, "mean", "", 4, "crop", "server"],
    "flight": ["mean", "turbo", "crop", "server"],
    "inside": ["C2", None, -1, "", 0, 0, "crop", "server"],
    "parts": ["C5", 2, 0.5, "crop", "server"],
    "elsewhere": [300, 200, "C4", None, "turbo", "crop", "server"],
    "evidence": ["", "hirescam", "stage", 2, "crop", "server"],
    "hold": ["hirescam", "C5", "", 20, "blur", False, "crop", "server"],
    "hide": [[{"box": [0, 0, 9, 9]}], "", "C5", "", "blur", "crop", "server"],
    "compare": [None, "rotate", 30, "mean", 1, "crop", "server"],
    "batch": [1, "crop", "server", False, False],
}


def test_every_endpoint_answers_alike_whether_a_path_exists_or_not(server, config, secret):
    public = {one["api_name"] for one in config["dependencies"] if one["api_visibility"] == "public"}
    assert public == ENDPOINTS.keys()
    paths = [
        secret,
        secret + ".none",
        "/etc/passwd",
        "/etc",
        "/dev/zero",
        "../" * 9 + "etc/passwd",
        "~/x",
        "x\0y",
        "x" * 5000,
    ]
    with httpx.Client(base_url=server, timeout=60) as client:

        def call(endpoint, data):
            asked = client.post(f"gradio_api/call/{endpoint}", json={"data": data})
            if asked.status_code == 403:
                return asked.json()["detail"]
            event = asked.json()["event_id"]
            text = client.get(f"gradio_api/call/{endpoint}/{event}").text
            assert "event: error" in text, (endpoint, data)
            return json.loads(text.split("data: ", 1)[1])["error"]

        for endpoint, others in ENDPOINTS.items():
            fields = [[True], [False, True]] if endpoint == "compare" else [[True]]
            for bare in ({}, {"meta": META}):
                for field in fields:
                    said = set()
                    for path in paths:
                        file = {"path": path, **bare}
                        data = [[file] if endpoint == "batch" else file, *others]
                        if len(field) == 2:
                            data = [None, file, *others[1:]]
                        said.add(call(endpoint, data))
                    assert len(said) == 1, (endpoint, bare, said)
    assert secret not in opened


def test_no_tool_of_a_language_model_opens_a_file_of_the_server(server, secret):
    async def work(client: ClientSession):
        for endpoint in ENDPOINTS:
            for value in values_of(secret):
                field = "photos" if endpoint == "batch" else "photo"
                result = await client.call_tool(endpoint, {field: value})
                assert result.isError or "error" in result.content[0].text.lower(), (endpoint, value)
                assert secret not in opened, (endpoint, value)

    speak(streamablehttp_client(f"{server}gradio_api/mcp/"), work)


def test_the_audit_sees_a_file_that_is_opened(secret):
    with Image.open(secret):
        assert secret in opened
