"""Which addresses the trusted proxies come from."""

import ipaddress
from collections.abc import Iterable


def as_seen(proxies: Iterable[str]) -> list[str]:
    """Trusted proxies as a socket shows them: one that listens on `::` sees IPv4 addresses mapped into IPv6.

    >>> as_seen(["192.0.2.1", "10.0.0.0/8", "2001:db8::1", "*"])
    ['192.0.2.1', '::ffff:c000:201', '10.0.0.0/8', '::ffff:a00:0/104', '2001:db8::1', '*']
    """
    return [each for proxy in proxies for each in (proxy, *_mapped(proxy))]


def _mapped(proxy: str) -> list[str]:
    if proxy == "*":
        return []
    network = ipaddress.ip_network(proxy)
    if not isinstance(network, ipaddress.IPv4Network):
        return []
    address = ipaddress.IPv6Address(f"::ffff:{network.network_address}")
    return [f"{address}/{96 + network.prefixlen}" if "/" in proxy else str(address)]
