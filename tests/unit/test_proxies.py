"""Whom a server that listens on `::` believes."""

import pytest
from uvicorn.middleware.proxy_headers import _TrustedHosts

from saltant.server.https_only import is_local
from saltant.serving.proxies import as_seen


@pytest.mark.parametrize("trusted", ["192.0.2.7", "192.0.2.0/24"])
def test_mapped_addresses_are_those_of_ipv4(trusted: str) -> None:
    hosts = _TrustedHosts(as_seen([trusted, "2001:db8::1"]))
    assert all(address in hosts for address in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"))
    assert not any(address in hosts for address in ("192.0.3.7", "::ffff:192.0.3.7", "::192.0.2.7", "2001:db8::2"))


def test_this_machine_is_so_by_a_mapped_address_too() -> None:
    assert is_local("::ffff:127.0.0.1")
    assert not is_local("::ffff:192.0.2.1")
