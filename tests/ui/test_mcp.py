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

from resnet.network.labels import ASSETS
from tests.conftest import serve

ACCEPT = {"Accept": "application/json, text/event-stream"}
TOOLS = [
    "batch",
    "channels",
    "classify",
    "compare",
    "elsewhere",
    "evidence",
    "explain",
    "flight",
    "hide",
    "hold",
    "inside",
    "parts",
]


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
    result, pictures = (ast.literal_eval(part.text) for part in answer.content)  # Gradio writes Python, not JSON
    assert [row["label"] for row in result["classes"]] == ["espresso", "goldfish"]
    assert [picture["caption"] for picture in pictures[4:6]] == ["espresso, C5", "goldfish, C1"]
    assert pictures[0]["image"]["url"].startswith("http")


def test_a_batch_takes_a_list_of_addresses(ask):
    arguments = {"photos": [photo("espresso.jpg"), "data:image/png;base64,bm8gcGhvdG8="], "top_k": 1}
    answer = ask(lambda client: client.call_tool("batch", arguments))
    assert not answer.isError, answer.content[0].text
    result = ast.literal_eval(answer.content[0].text)
    assert result["photos"][0]["predictions"][0]["label"] == "espresso"
    assert "is text, not a photo" in result["photos"][1]["error"]


def test_a_mistake_gets_a_sentence(ask):
    arguments = {"photo": photo("espresso.jpg"), "classes": "unicorn"}
    answer = ask(lambda client: client.call_tool("evidence", arguments))
    assert answer.isError
    assert "have no class 'unicorn'" in answer.content[0].text


def test_the_older_transport_answers_as_well(server):
    async def work(client):
        return await client.call_tool("classify", {"photo": photo("espresso.jpg"), "top_k": 1})

    answer = speak(sse_client(f"{server}gradio_api/mcp/sse"), work)
    assert ast.literal_eval(answer.content[0].text)["predictions"][0]["label"] == "espresso"


def body(**arguments):
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "classify", "arguments": arguments}}


def test_a_photo_that_is_too_large_for_a_message_is_refused(server, tmp_path):
    large = tmp_path / "large.jpg"
    large.write_bytes((ASSETS / "examples" / "espresso.jpg").read_bytes() + bytes(4_000_000))
    answer = httpx.post(f"{server}gradio_api/mcp/", json=body(photo=photo(large)), headers=ACCEPT, timeout=60)
    assert answer.status_code == 413


@pytest.mark.slow
def test_a_hundred_and_twenty_calls_at_once_are_answered_while_the_page_is_used(server):
    """Waiting calls must not hold the threads that Gradio answers the page with."""
    call = body(photo=photo("espresso.jpg"), top_k=1)
    client = httpx.Client(base_url=server, timeout=120, limits=httpx.Limits(max_connections=200))
    with client, ThreadPoolExecutor(120) as pool:
        calls = [pool.submit(client.post, "gradio_api/mcp/", json=call, headers=ACCEPT) for _ in range(120)]
        for path in ("", "healthz", "config", "gradio_api/info"):
            assert client.get(path).status_code == 200
        answers = [call.result() for call in calls]
    assert [answer.status_code for answer in answers] == [200] * 120
    assert [answer.text for answer in answers if "espresso" not in answer.text] == []


@pytest.mark.slow
def test_calls_wait_for_the_weights_and_stop_nobody_else(engine):
    ready = threading.Event()

    def load():
        ready.wait(120)
        return engine

    call = body(photo=photo("espresso.jpg"), top_k=1)
    with serve(load) as address, httpx.Client(base_url=address, timeout=120) as client, ThreadPoolExecutor(50) as pool:
        calls = [pool.submit(client.post, "gradio_api/mcp/", json=call, headers=ACCEPT) for _ in range(50)]
        assert client.get("healthz").status_code == 200
        assert client.get("").status_code == 200
        assert not any(call.done() for call in calls)
        ready.set()
        answers = [call.result().text for call in calls]
    assert [answer for answer in answers if "espresso" not in answer] == []
