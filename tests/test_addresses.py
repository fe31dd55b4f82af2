"""Public addresses, as the table of special ones has it (R33)."""

import pytest

from reseller.addresses import is_loopback, is_public


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "99.255.255.255", "100.128.0.1", "172.32.0.1", "192.1.0.1", "223.255.255.255", "2606:4700::1111", "2a00::1"]
    + ["64:ff9b::808:808"],  # 8.8.8.8 through NAT64
)
def test_hosts_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.9.9.9"]
    + ["169.254.169.254", "168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1"]
    + ["198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"],
)
def test_special_addresses_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "fe80::1", "fe80::1%lo", "fc00::1", "fd00:ec2::254"]
    + ["ff02::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"]
    + ["64:ff9b:1::808:808", "100::1", "2606:4700::1111%eth0"],
)
def test_special_addresses_of_version_six_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "2130706433", "0x7f000001", "127.1", "example.com", "8.8.8.8/32"])
def test_what_is_no_address_is_not(text: str) -> None:
    assert not is_public(text)
    assert not is_loopback(text)


def test_loopback_is_this_machine() -> None:
    assert [is_loopback(text) for text in ("127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "8.8.8.8")] == [True, True, True, False, False]
