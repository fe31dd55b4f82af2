"""Style sheets, scripts and fonts under addresses that change with their content, so browsers may keep them for ever."""

import hashlib
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, url_for

FOLDER = Path(__file__).parent / "static"
HASH_CHARACTERS = 12
FOREVER = "public, max-age=31536000, immutable"
PICTURE_WITH_SCRIPTS = "image/svg+xml"
PICTURE_ALONE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""An operator's SVG may hold anything. In an <img> nothing of it runs; opened by itself, nothing does either."""

blueprint = Blueprint("assets", __name__, url_prefix="/assets")


@dataclass(frozen=True, slots=True)
class Asset:
    name: str
    digest: str
    content: bytes
    content_type: str


def _read() -> dict[str, Asset]:
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            name = path.relative_to(FOLDER).as_posix()
            found[name] = made(name, path.read_bytes(), mimetypes.guess_type(name)[0] or "application/octet-stream")
    return found


def made(name: str, content: bytes, content_type: str) -> Asset:
    """An asset under the address of its content."""
    return Asset(name, hashlib.sha256(content).hexdigest()[:HASH_CHARACTERS], content, content_type)


def install(app: Flask, of_brand: Iterable[Asset]) -> None:
    """Templates can say `asset('tokens.css')`. Files are read once, at start; those of the brand are made then, too."""
    app.extensions["assets"] = _read() | {asset.name: asset for asset in of_brand}
    app.add_template_global(asset)


def asset(name: str) -> str:
    """The address of an asset. Raises KeyError for one that is not there: a page must not link into nothing."""
    return url_for("assets.serve", digest=_known()[name].digest, name=name)


@blueprint.get("/<digest>/<path:name>")
def serve(digest: str, name: str) -> Response:
    """One asset, to be kept for ever; 404 under the address of another version."""
    found = _known().get(name)
    if found is None or found.digest != digest:
        abort(404)
    answer = Response(found.content, content_type=found.content_type, headers={"Cache-Control": FOREVER})
    if found.content_type == PICTURE_WITH_SCRIPTS:
        answer.headers["Content-Security-Policy"] = PICTURE_ALONE
    return answer


def _known() -> dict[str, Asset]:
    known = current_app.extensions["assets"]
    assert isinstance(known, dict)
    return known
