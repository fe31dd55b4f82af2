"""Which network addresses are public: ground, for addresses that customers name and we connect to (promise R33). Pure.

Listed by hand, from IANA's registries of special-purpose addresses (2026-08): `ipaddress.is_global` differs between releases of
Python, and calls some addresses global that lead inside.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host; Linux connects it to loopback
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT; some clouds keep their metadata there
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host, which answers its guests with their secrets
        "169.254.0.0/16",  # link-local, metadata of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether the address is one host of the internet; text that is no address is none. An IPv4 address inside counts as itself."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return _is_public_6(address) if isinstance(address, IPv6Address) else _is_public_4(address)


def is_loopback(text: str) -> bool:
    """Whether the address is this machine itself."""
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_4)


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return _is_public_4(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)
