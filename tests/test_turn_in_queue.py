"""Whatever runs the network waits its turn: what Gradio answers outside of its queue never runs it."""

import httpx

from tests.test_private_files import META, answer_of

EVENTS = [{"choice": "0:2", "x": 0.2, "y": 0.2}, {"rows": 1, "columns": 1}, {"x": 0.5, "y": 0.5, "rows": 1}]


def test_events_outside_the_queue_do_not_run_the_network(server, engine, make_photo):
    content = make_photo(seed=99).read_bytes()
    with httpx.Client(base_url=server, timeout=60) as client:
        config = client.get("config").json()
        shown = {component["id"]: component["props"].get("value") for component in config["components"]}
        direct = [one for one in config["dependencies"] if one["backend_fn"] and not one["queue"]]
        assert len(direct) > 10

        # A visitor with an answer, of which the evidence has not been asked for yet.
        stored = client.post("gradio_api/upload", files={"files": ("photo.png", content)}).json()[0]
        answers = [one for one in config["dependencies"] if one["queue"] and one["inputs"][1:2] and one["backend_fn"]]
        photo = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "photo")
        first = next(one for one in answers if one["inputs"][0] == photo)
        before = engine.passes
        answer_of(client, first["id"], [{"path": stored, "meta": META}, "crop", "server"], "visitor")
        assert engine.passes == before + 1

        def run(body):
            return client.post("gradio_api/run/predict", json={"session_hash": "visitor", **body})

        for dependency in direct:
            data = [shown[component] for component in dependency["inputs"]]
            for event in EVENTS:
                run({"fn_index": dependency["id"], "data": data, "event_data": event})
        for dependency in config["dependencies"]:
            if dependency["queue"] and dependency["backend_fn"]:
                data = [shown[component] for component in dependency["inputs"]]
                assert run({"fn_index": dependency["id"], "data": data}).status_code == 404
        assert engine.passes == before + 1
