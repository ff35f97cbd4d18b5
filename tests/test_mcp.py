"""The page as an MCP server, used over the protocol by the protocol's own client."""

import ast
import asyncio
import base64
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client

from resnet.labels import ASSETS
from tests.conftest import serve

TOOLS = ["batch", "channels", "classify", "compare", "evidence", "explain", "hold"]


def photo(name):
    content = (ASSETS / "examples" / name).read_bytes()
    return "data:image/jpeg;base64," + base64.b64encode(content).decode()


def speak(transport, work):
    """Run something with a session of the protocol."""

    async def session():
        async with transport as (read, write, *_), ClientSession(read, write) as client:
            await client.initialize()
            return await work(client)

    # In a thread of its own: a browser test of the same process may have a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, session()).result()


@pytest.fixture(scope="module")
def ask(server):
    return lambda work: speak(streamablehttp_client(f"{server}gradio_api/mcp/"), work)


@pytest.fixture(scope="module")
def ask_the_old_way(server):
    return lambda work: speak(sse_client(f"{server}gradio_api/mcp/sse"), work)


def test_every_tool_tells_a_language_model_what_it_does(ask):
    tools = ask(lambda client: client.list_tools()).tools
    assert sorted(tool.name for tool in tools) == TOOLS
    for tool in tools:
        assert "ResNet" in tool.description
        assert len(tool.description) > 60
        properties = tool.inputSchema["properties"]
        assert all(len(one["description"]) > 5 for one in properties.values()), tool.name


def test_a_photo_is_classified(ask):
    answer = ask(lambda client: client.call_tool("classify", {"photo": photo("espresso.jpg"), "top_k": 2}))
    assert not answer.isError
    result = ast.literal_eval(answer.content[0].text)  # Gradio writes Python, not JSON
    assert result["predictions"][0]["label"] == "espresso"
    assert len(result["predictions"]) == 2


def test_evidence_comes_with_pictures(ask):
    arguments = {"photo": photo("espresso.jpg"), "classes": "espresso; goldfish", "method": "layercam"}
    answer = ask(lambda client: client.call_tool("evidence", arguments))
    assert not answer.isError
    result, pictures = ast.literal_eval(answer.content[0].text)  # Gradio writes Python, not JSON
    assert [row["label"] for row in result["classes"]] == ["espresso", "goldfish"]
    assert [picture["caption"] for picture in pictures[4:6]] == ["espresso, C5", "goldfish, C1"]
    assert pictures[0]["image"]["url"].startswith("http")


def test_a_batch_takes_a_list_of_addresses(ask):
    arguments = {"photos": [photo("espresso.jpg"), "data:image/png;base64,bm8gcGhvdG8="], "top_k": 1}
    answer = ask(lambda client: client.call_tool("batch", arguments))
    assert not answer.isError, answer.content[0].text
    result, _ = ast.literal_eval(answer.content[0].text)
    assert result["photos"][0]["predictions"][0]["label"] == "espresso"
    assert "is text, not a photo" in result["photos"][1]["error"]


def test_a_mistake_gets_a_sentence(ask):
    arguments = {"photo": photo("espresso.jpg"), "classes": "unicorn"}
    answer = ask(lambda client: client.call_tool("evidence", arguments))
    assert answer.isError
    assert "know no class 'unicorn'" in answer.content[0].text


@pytest.mark.parametrize("way", ["ask", "ask_the_old_way"])
def test_a_photo_of_several_megabytes_is_taken(request, way, tmp_path):
    ask = request.getfixturevalue(way)
    name = tmp_path / "large.jpg"
    name.write_bytes((ASSETS / "examples" / "espresso.jpg").read_bytes() + bytes(5_000_000))
    answer = ask(lambda client: client.call_tool("classify", {"photo": photo(name), "top_k": 1}))
    assert not answer.isError, answer.content[0].text
    assert ast.literal_eval(answer.content[0].text)["predictions"][0]["label"] == "espresso"


def test_many_who_wait_stop_nobody_else(engine):
    ready = threading.Event()

    def load():
        ready.wait(120)
        return engine

    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "classify", "arguments": {"photo": photo("espresso.jpg"), "top_k": 1}}}  # fmt: skip
    headers = {"Accept": "application/json, text/event-stream"}
    with serve(load) as address, httpx.Client(base_url=address, timeout=120) as client, ThreadPoolExecutor(50) as pool:
        calls = [pool.submit(client.post, "gradio_api/mcp/", json=body, headers=headers) for _ in range(50)]
        with pytest.raises(TimeoutError):
            calls[0].result(timeout=5)
        assert httpx.get(f"{address}healthz", timeout=60).status_code == 200
        assert httpx.get(address, timeout=60).status_code == 200
        ready.set()
        answers = [call.result().text for call in calls]
    assert [answer for answer in answers if "espresso" not in answer] == []
