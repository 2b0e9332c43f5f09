"""Which addresses a webhook may go to: public ones (partner-api B3).

A firm names the URL, so a name that leads into our own network must not be followed. Names are
resolved once per use; the addresses that passed are the ones connected to.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings

URL_LENGTH_MAX = 2048
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# What the language's tables call public and yet leads inside: protocol assignments (Oracle's
# metadata), old relays, local translation, and Azure's metadata and agent service.
REFUSED_RANGES = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")


# One sentence for an unknown name and an inner address: nobody learns our names by asking.
NOT_PUBLIC = "does not lead to a public address"


class AddressRefused(Exception):
    """The URL or an address that it leads to is not one that Polysim sends to."""


def check_url(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) of a URL of the right form; raises AddressRefused with the reason."""
    if len(url) > URL_LENGTH_MAX:
        raise AddressRefused(f"must have at most {URL_LENGTH_MAX} characters")
    if not url.isascii() or any(sign <= " " or sign == "\\" for sign in url):
        raise AddressRefused("must be a URL without blanks and foreign letters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("must be a URL") from None
    if port == 0:
        raise AddressRefused("must not name port 0")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("must not contain a user name")
    if parts.fragment:
        raise AddressRefused("must not contain a fragment")
    schemes = ("https", "http") if is_loopback_allowed() else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        raise AddressRefused("must be an https URL")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def resolve(scheme: str, host: str, port: int) -> list[str]:
    """The addresses of a host, all of them checked; raises AddressRefused.

    One refused address refuses the host. Plain http is for this machine only, and that only where
    WEBHOOK_ALLOW_PRIVATE is set.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressRefused(NOT_PUBLIC) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not all(is_allowed(text, scheme=scheme) for text in addresses):
        raise AddressRefused(NOT_PUBLIC)
    return addresses


def is_allowed(text: str, *, scheme: str = "https") -> bool:
    """Whether Polysim may connect to an IP address."""
    address = _embedded(ipaddress.ip_address(text.partition("%")[0]))
    if address.is_loopback and is_loopback_allowed():
        return True
    return scheme == "https" and is_public(address)


def is_loopback_allowed() -> bool:
    """Whether receivers on this machine may be named: for tests and demonstrations."""
    return bool(settings.WEBHOOK_ALLOW_PRIVATE and not settings.IS_PRODUCTION)


def is_public(address: Address) -> bool:
    """False for private, loopback, link-local, metadata, multicast and reserved ranges."""
    if address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return address.is_global and not any(address in network for network in REFUSED_RANGES)


def _embedded(address: Address) -> Address:
    """The IPv4 address inside a mapped or translated IPv6 address; any other as it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
