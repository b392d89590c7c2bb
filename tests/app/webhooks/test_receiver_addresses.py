"""Which addresses and URLs receivers may have, and which networks an operator opens."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from app.webhooks.addresses import refused
from app.webhooks.outgoing import LONGEST_URL, check_url
from models.store.errors import Invalid

pytestmark = pytest.mark.without_store

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81c::200e",
    "64:ff9b::8.8.8.8",
]
NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104
    "0.255.255.255",
    "10.0.0.1",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.0.255",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "233.252.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff::1",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "ff0e::1",
]
WRAPPED = [
    "::ffff:{v4}",  # mapped
    "::ffff:0:{v4}",  # translated
    "::{v4}",  # compatible
    "64:ff9b::{v4}",  # NAT64
    "64:ff9b:1::{v4}",  # NAT64 of one's own
    "2002:{hex}::1",  # 6to4
    "2001:0:{hex}::1",  # Teredo: its server
    "2001:0:808:808::{inverted}",  # Teredo: its client
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_not_refused(text: str) -> None:
    assert not refused(ip_address(text), [])


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_what_is_not_public_is_refused(text: str) -> None:
    assert refused(ip_address(text), [])


@pytest.mark.parametrize(
    "v4", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.1.2.3"]
)
@pytest.mark.parametrize("form", WRAPPED)
def test_ipv6_does_not_hide_an_ipv4_address(form: str, v4: str) -> None:
    number = int(ip_address(v4))
    parts = {
        "v4": v4,
        "hex": f"{number >> 16:x}:{number & 0xFFFF:x}",
        "inverted": f"{~number >> 16 & 0xFFFF:x}:{~number & 0xFFFF:x}",
    }
    address = ip_address(form.format(**parts))
    assert refused(address, [])
    assert refused(address, [ip_network(f"{v4}/32")])


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("fd00::7", "fd00::/64"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.0/120"),
    ],
)
def test_the_operator_allows_networks(text: str, network: str) -> None:
    allowed = [ip_network("192.0.2.0/24"), ip_network(network)]
    assert not refused(ip_address(text), allowed)
    assert refused(ip_address(text), allowed[:1])
    assert refused(ip_address("10.255.0.1"), allowed)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hook",
        "HTTPS://SHOP.EXAMPLE",
        "https://shop.example.:8443/hook?token=a%20b&c=d",
        "https://bücher.example/",
        "https://xn--bcher-kva.example/",
        "https://a_b.example/",
        "https://localhost/",  # a name, which is looked up when something is sent
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]:1/",
        "https://shop.example:65535/",
        "https://shop.example/".ljust(LONGEST_URL, "a"),
    ],
)
def test_a_url_may_be(url: str) -> None:
    check_url(url, [])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "0",
        "0.0",
        "0177.0.0.1",
        "0177.0x0.0.1",
        "0x7f.1",
        "0X7F000001",
        "0x7f000001.",
        "2130706433",
        "017700000001",
        "127。0。0。1",
        "\uff11\uff12\uff17.0.0.1",
        "①②⑦.0.0.1",
        "12\u248e0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::FFFF:7F00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:FF9B:1::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
    ],
)
def test_a_url_does_not_hide_an_address(host: str) -> None:
    with pytest.raises(Invalid, match="its address is not public"):
        check_url(f"https://{host}:8443/hook", [])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "begin with https://"),
        ("shop.example/hook", "begin with https://"),
        ("//shop.example/hook", "begin with https://"),
        ("http://shop.example/hook", "begin with https://"),
        ("http://8.8.8.8/hook", "begin with https://"),
        ("ftp://shop.example/hook", "begin with https://"),
        ("file:///etc/passwd", "begin with https://"),
        ("https:shop.example", "name a host"),
        ("https:///hook", "name a host"),
        ("https://:443/", "name a host"),
        ("https://.", "name a host"),
        ("https://shop,example/", "name a host"),
        ("https://shop.example\\@127.0.0.1/", "no user"),
        ("https://shop.example\\.evil/", "name a host"),
        ("https://shop%2eexample/", "name a host"),
        ("https://[fe80::1%eth0]/", "name a host"),
        ("https://[fe80::1%25eth0]/", "name a host"),
        ("https://[v1.a]/", "name a host"),
        ("https://[::1/", "must be like"),
        ("https://a..example/", "must be like"),
        ("https://" + "a" * 64 + ".example/", "must be like"),
        ("https://shop.example:0/", "port"),
        ("https://shop.example:65536/", "must be like"),
        ("https://shop.example:-1/", "must be like"),
        ("https://shop.example:٣/", "must be like"),
        ("https://user:sesame@shop.example/", "no user"),
        ("https://@shop.example/", "no user"),
        ("https://shop.example/#", "no fragment"),
        ("https://shop.example/hook#part", "no fragment"),
        ("https://shop.example/a b", "blanks"),
        (" https://shop.example/", "blanks"),
        ("https://shop.example/\r\nX: y", "blanks"),
        ("https://shop.example/\x7f", "blanks"),
        ("https://shop.example/\u00a0", "blanks"),
        ("https://shop.example/ü", "ASCII"),
        ("https://shop.example/?sesame=ü", "ASCII"),
        ("https://shop.example/".ljust(LONGEST_URL + 1, "a"), "2000 characters"),
    ],
)
def test_a_url_may_not_be(url: str, why: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_url(url, [])
    assert why in refusal.value.sentence
    assert "sesame" not in refusal.value.sentence


def test_plain_http_is_for_allowed_networks_alone() -> None:
    allowed = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    for url in ("http://127.0.0.1/", "http://0x7f.1:8080/", "http://[::1]/", "http://name.test/"):
        check_url(url, allowed)
        with pytest.raises(Invalid):
            check_url(url, [])
    for host in ("8.8.8.8", "10.0.0.1", "[2606:4700:4700::1111]"):
        with pytest.raises(Invalid):
            check_url(f"http://{host}/", allowed)
