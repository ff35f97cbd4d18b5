"""Several workers do together what one does alone."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from resnet.errors import OptionError
from resnet.training.machine import make_strategy
from tests.worker import main as work

ROOT = Path(__file__).resolve().parent.parent


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def run_workers(folder, count):
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    processes = []
    for index in range(count):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
        command = [sys.executable, "-m", "tests.worker", "multiworker", str(folder)]
        log = (folder.parent / f"{folder.name}-{index}.log").open("w")
        processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
    for index, process in enumerate(processes):
        log = folder.parent / f"{folder.name}-{index}.log"
        assert process.wait(timeout=300) == 0, log.read_text()[-3000:]
    return [result_of(folder, index) for index in range(count)]


def result_of(folder, worker=0):
    return json.loads((folder / f"worker{worker}" / "result.json").read_text())


@pytest.mark.slow
def test_two_workers_get_the_metrics_and_weights_of_one(tmp_path):
    first, second = run_workers(tmp_path / "two", 2)
    for strategy in ("one", "mirrored"):  # these need no process of their own
        work(strategy, tmp_path / strategy)
    alone, mirrored = result_of(tmp_path / "one"), result_of(tmp_path / "mirrored")
    for other in (first, second, mirrored):
        assert len(other["history"]) == len(alone["history"]) == 3
        for row, expected in zip(other["history"], alone["history"], strict=True):
            for key in ("loss", "val_loss", "top1", "val_top1", "images"):
                assert row[key] == pytest.approx(expected[key], rel=1e-4), key
        assert other["sums"] == pytest.approx(alone["sums"], rel=1e-4)


@pytest.mark.parametrize("config", [None, "no JSON", '{"cluster": {"worker": ["a:1"]}, "task": {"index": 1}}'])
def test_a_worker_that_does_not_know_the_others_says_so(monkeypatch, config):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(OptionError, match=r"Several workers need TF_CONFIG, such as .*; received"):
        make_strategy("multiworker")
