"""Results by key, bounded in bytes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from resnet.service.cache import ResultCache


@dataclass(frozen=True)
class Result:
    name: str
    byte_count: int = 10


def test_a_result_is_made_once():
    cache, made = ResultCache(100), []

    def make():
        made.append(1)
        return Result("a")

    assert cache.get_or_make("a", make) is cache.get_or_make("a", make)
    assert made == [1]
    assert cache.held_bytes == 10


def test_who_asks_for_a_result_that_is_being_made_waits_for_it():
    cache, made, going, go_on = ResultCache(100), [], threading.Event(), threading.Event()

    def make():
        made.append(1)
        going.set()
        assert go_on.wait(60)
        return Result("a")

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(cache.get_or_make, "a", make)
        assert going.wait(60)
        others = [pool.submit(cache.get_or_make, "a", make) for _ in range(2)]
        assert cache.get_or_make("b", lambda: Result("b")).name == "b"  # of another key nobody has to wait
        go_on.set()
        assert all(other.result(60) is first.result(60) for other in others)
    assert made == [1]


def test_who_waits_for_a_result_that_fails_makes_it_himself():
    cache, going, go_on = ResultCache(100), threading.Event(), threading.Event()

    def fail():
        going.set()
        assert go_on.wait(60)
        raise OSError("broken")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_make, "a", fail)
        assert going.wait(60)
        second = pool.submit(cache.get_or_make, "a", lambda: Result("a"))
        go_on.set()
        assert second.result(60).name == "a"
        assert isinstance(first.exception(60), OSError)


def test_the_longest_unused_goes_first():
    cache = ResultCache(25)
    for name in "ab":
        cache.store(name, Result(name))
    assert cache.get("a")  # used last
    cache.store("c", Result("c"))
    assert [name for name in "abc" if cache.get(name)] == ["a", "c"]
    assert cache.held_bytes <= cache.maximum_bytes == 25


def test_a_result_larger_than_the_cache_is_given_but_not_held():
    cache = ResultCache(5)
    assert cache.get_or_make("a", lambda: Result("a")).name == "a"
    assert cache.get("a") is None


def test_many_threads_may_ask_at_once():
    cache, faults = ResultCache(1000), []

    def ask(number):
        for name in range(200):
            found = cache.get_or_make(name % 150, lambda name=name: Result(name % 150))
            if found.name != name % 150:
                faults.append((number, name))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert cache.held_bytes <= 1000
