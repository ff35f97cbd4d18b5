"""Memory that is free goes back to the system, wherever it lies between what is in use."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from resnet.memory import give_back, keep_little

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

keep_little()
before = resident()
blocks = [bytearray(64_000) for _ in range(4000)]  # 256 MB
kept = blocks[::20]  # each keeps the heap from shrinking at its end
full = resident()
del blocks
freed = resident()
give_back()
print(full - before, freed - before, resident() - before)
assert all(len(block) == 64_000 and not any(block) for block in kept)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux' C library")
def test_free_pages_between_used_ones_go_back():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    full, freed, left = map(float, ended.stdout.split())
    assert full > 250
    assert freed > 200  # what the C library does by itself
    assert left < 60  # the twentieth part that is in use, and what lies around it
