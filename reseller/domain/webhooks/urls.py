"""Addresses that an endpoint may have. Pure: whether a name leads to a public address is seen where we connect, each time."""

import re
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from reseller.addresses import is_loopback, is_public
from reseller.errors import InvalidRequest

MAX_URL_CHARACTERS = 2_000
_NAME = re.compile("[0-9A-Za-z._-]+")
_KEPT = "!$%&'()*+,-./:;=?@_~[]"


def normal_url(text: str, *, allows_loopback: bool) -> str:
    """The address in the one form we store. Raises InvalidRequest for one that is not https, or of no public host.

    `allows_loopback`: this machine may be named, over plain http too.
    """
    url = text.strip()
    if not url or len(url) > MAX_URL_CHARACTERS:
        raise _refused(f"An address has 1 to {MAX_URL_CHARACTERS} characters.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _refused("This is not an address.") from None
    if parts.scheme not in ("https", "http") or not host:
        raise _refused("Give the whole address, like https://example.com/hooks.")
    if parts.username is not None or parts.password is not None:
        raise _refused("Leave name and password out: whoever asks at your address is known by the signature.")
    is_here = allows_loopback and (host == "localhost" or is_loopback(host))
    if parts.scheme != "https" and not is_here:
        raise _refused("The address must begin with https://.")
    if not is_here and not _may_be_public(host):
        raise _refused("This host cannot be reached from the internet.")
    where = _ascii(host) + (f":{port}" if port else "")
    query = f"?{quote(parts.query, safe=_KEPT)}" if parts.query else ""
    return f"{parts.scheme}://{where}{quote(parts.path, safe=_KEPT) or '/'}{query}"


def shown_url(url: str) -> str:
    """What staff see of an address: where it leads, without path and query, which may be a secret of the owner."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" + ("/…" if parts.path not in ("", "/") or parts.query else "/")


def _may_be_public(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal")) and host != "localhost"
    return is_public(host)


def _ascii(host: str) -> str:
    if ":" in host:
        return f"[{host}]"
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not _NAME.fullmatch(name):
        raise _refused("This host has no name that could be looked up.")
    return name


def _refused(words: str) -> InvalidRequest:
    return InvalidRequest(words, param="url")
