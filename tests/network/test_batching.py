import threading

import numpy as np
import pytest

from resnet.network.batching import Batcher


class Recorder:
    """A network that waits until it may go on, and remembers its batches."""

    def __init__(self):
        self.batches = []
        self.running = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, images):
        self.batches.append([int(image.flat[0]) for image in images])
        self.running.set()
        assert self.may_end.wait(30)
        if any(image.flat[0] < 0 for image in images):
            raise ValueError(f"cannot do {len(images)}")
        return [float(image.sum()) for image in images]


def image(value, shape=(1, 2, 2, 3)):
    return np.full(shape, value, np.float32)


def ask_behind_a_running_pass(batcher, network, images):
    """Ask for all images, in their order, while a first pass runs; gives their results or errors."""
    found = [None] * len(images)

    def ask(place):
        try:
            found[place] = batcher(images[place])
        except ValueError as error:
            found[place] = error

    first = threading.Thread(target=batcher, args=(image(100),))
    first.start()
    assert network.running.wait(30)
    threads = []
    for place in range(len(images)):
        threads.append(threading.Thread(target=ask, args=(place,)))
        threads[-1].start()
        while batcher.waiting < place + 1:
            pass
    network.may_end.set()
    for thread in [first, *threads]:
        thread.join(30)
    assert batcher.waiting == 0
    return found


def test_one_alone_goes_at_once():
    network = Recorder()
    network.may_end.set()
    assert Batcher(network)(image(2)) == 24
    assert network.batches == [[2]]


def test_those_who_wait_go_together_and_each_gets_its_own():
    network = Recorder()
    found = ask_behind_a_running_pass(Batcher(network), network, [image(value) for value in range(5)])
    assert network.batches == [[100], [0, 1, 2, 3, 4]]
    assert found == [12 * value for value in range(5)]


def test_a_batch_is_bounded_and_the_longest_waiting_go_first():
    network = Recorder()
    ask_behind_a_running_pass(Batcher(network, most=3), network, [image(value) for value in range(7)])
    assert network.batches == [[100], [0, 1, 2], [3, 4, 5], [6]]


def test_only_images_of_one_size_go_together_and_nobody_is_passed_over():
    network = Recorder()
    wide = (1, 2, 4, 3)
    images = [image(0, wide), image(1), image(2, wide), image(3)]
    found = ask_behind_a_running_pass(Batcher(network), network, images)
    assert network.batches == [[100], [0, 2], [1, 3]]
    assert found == [0, 12, 48, 36]


def test_one_that_fails_fails_alone():
    network = Recorder()
    found = ask_behind_a_running_pass(Batcher(network), network, [image(1), image(-1), image(2)])
    assert network.batches == [[100], [1, -1, 2], [1], [-1], [2]]
    assert found[0] == 12
    assert isinstance(found[1], ValueError)
    assert found[2] == 24


def test_the_next_one_is_answered_after_a_failure():
    network = Recorder()
    network.may_end.set()
    batcher = Batcher(network)
    with pytest.raises(ValueError, match="cannot do 1"):
        batcher(image(-1))
    assert batcher(image(1)) == 12


class LastFirst:
    """A lock that goes to whoever came last, as a lock may: it promises no order."""

    def __init__(self):
        self._changing, self._held, self._queue = threading.Lock(), False, []

    def __enter__(self):
        with self._changing:
            if not self._held:
                self._held = True
                return
            self._queue.append(threading.Event())
            own = self._queue[-1]
        assert own.wait(30)

    def __exit__(self, *_):
        with self._changing:
            self._held = bool(self._queue)
            if self._queue:
                self._queue.pop().set()


def test_nobody_who_is_done_waits_for_the_pass_after_his_own():
    gates = [threading.Event() for _ in range(3)]
    passes = iter(gates)

    def network(images):
        assert next(passes).wait(30)
        return [float(one.sum()) for one in images]

    batcher = Batcher(network, most=7)
    batcher.lock = LastFirst()
    threads = [threading.Thread(target=batcher, args=(image(value),)) for value in range(9)]
    for count, thread in enumerate(threads):
        thread.start()
        while batcher.waiting < count:
            pass
    gates[0].set()
    gates[1].set()
    for thread in threads[:8]:
        thread.join(10)
    done = [not thread.is_alive() for thread in threads]
    gates[2].set()
    threads[8].join(30)
    assert done == [True] * 8 + [False]
