"""Results by key, bounded in bytes."""

import threading
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
