"""Which weights answer, and when they change."""

import shutil
import threading

import pytest

from resnet.errors import WeightsError
from resnet.network.manifest import read_manifest
from resnet.network.sources import BUNDLED, check_choice, load_engine, offered_choices
from resnet.service.provider import EngineProvider


class FakeEngine:
    def __init__(self, name):
        self.name = self.identity = name
        self.manifest = read_manifest(BUNDLED)

    def prepare(self):
        self.prepared = True


@pytest.fixture
def sources(monkeypatch):
    """Loaders that answer when they are told to."""
    gates = {name: threading.Event() for name in ("bundled", "imagenet")}

    def loader(name):
        def load(download=True):
            assert gates[name].wait(10)
            outcome = outcomes.get(name)
            if isinstance(outcome, Exception):
                raise outcome
            return FakeEngine(name)

        return load

    outcomes = {}
    monkeypatch.setattr("resnet.network.sources.load_bundled", loader("bundled"))
    monkeypatch.setattr("resnet.network.sources.load_imagenet", loader("imagenet"))
    return gates, outcomes


def wait_until(condition):
    deadline = threading.Event()
    for _ in range(1000):
        if condition():
            return
        deadline.wait(0.01)
    raise AssertionError("nothing changed within 10 s")


def test_auto_answers_with_bundled_and_switches_when_imagenet_is_ready(sources):
    gates, _ = sources
    chosen = EngineProvider("auto")
    assert chosen.status.phase == "loading"
    chosen.start()
    gates["bundled"].set()
    assert chosen.engine(timeout=10).name == "bundled"
    assert (chosen.status.reason, chosen.status.settled) == ("auto-trying", False)
    gates["imagenet"].set()
    wait_until(lambda: chosen.status.settled)
    assert chosen.status.reason == "auto-imagenet"
    assert chosen.engine().name == "imagenet"


@pytest.mark.parametrize("error", [WeightsError("No connection."), MemoryError(), RuntimeError("odd")], ids=repr)
def test_auto_stays_with_bundled_when_imagenet_cannot_be_had(sources, error):
    gates, outcomes = sources
    outcomes["imagenet"] = error
    chosen = EngineProvider("auto")
    chosen.start()
    gates["bundled"].set(), gates["imagenet"].set()
    wait_until(lambda: chosen.status.settled)
    assert (chosen.status.phase, chosen.status.reason) == ("ready", "auto-offline")
    assert chosen.engine().name == "bundled"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(WeightsError("The file is gone."), "The file is gone"), (MemoryError(), r"could not be loaded \(MemoryError\)")],
    ids=["said", "unforeseen"],
)
def test_weights_that_do_not_load_are_said_to_whoever_waits(sources, error, sentence):
    gates, outcomes = sources
    outcomes["bundled"] = error
    chosen = EngineProvider("bundled")
    chosen.start()
    gates["bundled"].set()
    with pytest.raises(WeightsError, match=sentence):
        chosen.engine(timeout=10)
    assert (chosen.status.phase, chosen.status.settled) == ("failed", True)


def test_auto_answers_with_imagenet_when_bundled_is_damaged(sources):
    gates, outcomes = sources
    outcomes["bundled"] = WeightsError("Damaged.")
    chosen = EngineProvider("auto")
    chosen.start()
    gates["bundled"].set(), gates["imagenet"].set()
    wait_until(lambda: chosen.status.settled)
    assert chosen.engine().name == "imagenet"
    assert chosen.status.reason == "auto-imagenet"


def test_auto_fails_when_neither_can_be_had(sources):
    gates, outcomes = sources
    outcomes.update(bundled=WeightsError("Damaged."), imagenet=WeightsError("No connection."))
    chosen = EngineProvider("auto")
    chosen.start()
    gates["bundled"].set(), gates["imagenet"].set()
    with pytest.raises(WeightsError, match=r"Damaged\. No connection\."):
        chosen.engine(timeout=10)


def test_a_faster_twin_answers_once_it_is_there_and_former_answers_keep_their_engine(sources, monkeypatch):
    gates, _ = sources
    begun = threading.Event()

    def faster(engine):
        assert begun.wait(10)
        return FakeEngine("twin")

    monkeypatch.setattr("resnet.network.precision.faster", faster)
    chosen = EngineProvider("bundled")
    gates["bundled"].set()
    chosen.start()
    first = chosen.engine(timeout=10)
    assert (first.name, chosen.engine("bundled").name) == ("bundled", "bundled")
    begun.set()
    chosen.finish(30)
    assert (chosen.engine().name, chosen.engine("bundled").name) == ("twin", "twin")
    assert chosen.engine().prepared
    assert chosen.engine_of(first.identity, "server") is first
    assert chosen.engine_of(chosen.engine().identity, "server").name == "twin"


def test_what_fails_on_the_way_to_a_faster_twin_stops_nothing(sources, monkeypatch, caplog):
    gates, _ = sources

    def fail(engine):
        raise MemoryError

    monkeypatch.setattr("resnet.network.precision.faster", fail)
    chosen = EngineProvider("bundled")
    gates["bundled"].set()
    chosen.start()
    chosen.finish(30)
    assert chosen.engine().name == "bundled"
    assert chosen.engine().prepared
    assert "Answering in float32, since bfloat16 failed." in caplog.messages


@pytest.mark.parametrize("error", [WeightsError("Damaged."), MemoryError()], ids=repr)
def test_a_command_falls_back_to_bundled(sources, monkeypatch, error):
    gates, outcomes = sources
    gates["bundled"].set(), gates["imagenet"].set()
    outcomes["imagenet"] = error
    monkeypatch.setattr("resnet.network.sources.imagenet_is_cached", lambda: True)
    assert load_engine("auto").name == "bundled"


def test_waiting_for_weights_ends(sources):
    with pytest.raises(WeightsError, match=r"did not load within 0\.01 s"):
        EngineProvider("bundled").engine(timeout=0.01)


@pytest.mark.parametrize(("cached", "name"), [(True, "imagenet"), (False, "bundled")])
def test_a_command_takes_imagenet_only_if_it_is_there(sources, monkeypatch, cached, name):
    gates, _ = sources
    gates["bundled"].set(), gates["imagenet"].set()
    monkeypatch.setattr("resnet.network.sources.imagenet_is_cached", lambda: cached)
    assert load_engine("auto").name == name


def test_a_wrong_path_is_refused_before_anything_is_loaded(tmp_path):
    check_choice("auto"), check_choice("bundled"), check_choice(str(BUNDLED))
    with pytest.raises(WeightsError, match="There are no weights at"):
        check_choice(str(tmp_path / "none"))


@pytest.mark.slow
def test_weights_that_vanish_or_rot_while_serving_stop_only_those_who_ask_for_them(tmp_path, engine):
    copy = shutil.copytree(BUNDLED, tmp_path / "offered")
    serving = EngineProvider.serving(engine)
    serving.choices = offered_choices([copy])
    offered = serving.choices[-1].identifier
    weights = read_manifest(copy).weights_path
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=weights.name):
        serving.engine(offered)
    weights.unlink()
    with pytest.raises(WeightsError, match=weights.name):
        serving.engine(offered)
    assert serving.engine() is engine
    shutil.copy(BUNDLED / weights.name, weights)
    assert serving.engine(offered).manifest.classes == engine.manifest.classes
