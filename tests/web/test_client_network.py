"""Client addresses, as rate limits count them."""

from __future__ import annotations

import pytest

from feedsvc.http.client_network import network_of, set_client


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_ipv6_clients_are_counted_by_their_64_prefix(
    address: str, network: str
) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("198.51.100.1, 192.0.2.1", "192.0.2.1"),
        ('"198.51.100.1, 192.0.2.1', "192.0.2.1"),
        ('\\", 192.0.2.1', "192.0.2.1"),
        (" , ", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_client_is_what_the_trusted_proxy_added(forwarded: str, expected: str) -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": forwarded}
    set_client(environ, 1)
    assert environ["REMOTE_ADDR"] == expected


def test_client_is_known_where_all_trusted_proxies_have_added_one() -> None:
    for count, expected in ((0, "127.0.0.1"), (2, "192.0.2.2"), (4, "127.0.0.1")):
        header = "192.0.2.1, 192.0.2.2, 192.0.2.3"
        environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": header}
        set_client(environ, count)
        assert environ["REMOTE_ADDR"] == expected
