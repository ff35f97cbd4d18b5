"""Names under which a server is reached."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from resnet.errors import OptionError

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def name_of(address: str | None) -> str:
    """Return the host in an address such as //demo.example:8000; empty if there is none."""
    try:
        name = urlsplit(address or "").hostname or ""
    except ValueError:
        return ""
    with contextlib.suppress(ValueError):
        return str(ip_address(name))
    return name


def host_of(name: str) -> str:
    """Return the host in a name as a person writes it: alone, with a port, in an address."""
    with contextlib.suppress(ValueError):
        return str(ip_address(name.strip("[]")))
    return name_of(name if "//" in name else f"//{name}")


def _listened_on(host: str | None) -> str:
    return host_of((host or os.environ.get("GRADIO_SERVER_NAME") or LOOPBACK[0]).lower())


def is_loopback(host: str | None) -> bool:
    """Tell whether a server that listens there is reached from its own machine only.

    Args:
        host: As given to `launch`; None for Gradio's default.
    """
    place = _listened_on(host)
    with contextlib.suppress(ValueError):
        return ip_address(place).is_loopback
    return place in LOOPBACK


def is_from_here(scope: Scope) -> bool:
    """Tell whether a request comes from this machine, under one of its own names: no proxy, no other site."""
    host = name_of(f"//{Headers(scope=scope).get('host', '')}")
    return host in LOOPBACK and is_loopback((scope.get("client") or ("none",))[0])


def further_hosts(names: Sequence[str]) -> list[str]:
    """Return the hosts in names that a person has given.

    Raises:
        OptionError: One is not a host name.
    """
    hosts = [host_of(name) for name in names]
    if "" in hosts:
        raise OptionError(
            "A host name must look like demo.example; received {!r}.",
            names[hosts.index("")],
        )
    return hosts


def allowed_hosts(host: str | None, further: Sequence[str]) -> tuple[str, ...] | None:
    """Return the hosts that a server answers to; None for all, where others are meant to reach it.

    Args:
        host: Where the server listens.
        further: Further hosts, such as a proxy's.
    """
    return (*LOOPBACK, _listened_on(host), *further) if is_loopback(host) or further else None
