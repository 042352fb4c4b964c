"""``/``: the dashboard, as it was built from ``dashboard/`` into this package.

This module serves static files only; the page gets its data from the API. Each file also exists
compressed, and is sent compressed to clients that accept it. Names of files below ``/assets``
contain a hash of the content, so browsers cache these files for ever. The page that names them is
revalidated at each request.
"""

from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, abort, request, send_from_directory

BUILT: Final = Path(__file__).parent / "static"
PAGE: Final = Path(__file__).parent / "page"  # files that are served without a build
_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}  # the preferred one first
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_REVALIDATE: Final = "no-cache"
_NOT_BUILT: Final = (
    "The dashboard was not built with this copy of Canary: run `make setup`, or install Canary "
    "with `pip install .`, which builds it. The API works without it: see /docs\n"
)


def blueprint(built: Path = BUILT) -> Blueprint:
    """Return the blueprint; ``built`` is the folder of the built page."""
    home = Blueprint("home", __name__, static_folder=PAGE, static_url_path="/page")

    @home.get("/")
    def answer() -> Response:
        if not (built / "index.html").is_file():
            return Response(_NOT_BUILT, HTTPStatus.SERVICE_UNAVAILABLE, content_type="text/plain")
        return _send(built, "index.html", _REVALIDATE)

    @home.get("/icon.svg")
    def icon() -> Response:
        return _send(built, "icon.svg", _REVALIDATE)

    @home.get("/assets/<name>")
    def asset(name: str) -> Response:
        if Path(name).suffix not in {".js", ".css"}:
            abort(HTTPStatus.NOT_FOUND)
        return _send(built / "assets", name, _FOR_EVER)

    return home


def is_public(path: str) -> bool:
    """Return whether a path is a file of the page: the same for everybody, without any data."""
    return path in {"/", "/icon.svg"} or path.startswith("/assets/")


def _send(folder: Path, name: str, caching: str) -> Response:
    """Send a file of ``folder``, compressed if such a file exists and the client accepts it."""
    plain = send_from_directory(folder, name)
    response = plain
    for encoding, suffix in _ENCODINGS.items():
        if request.accept_encodings[encoding] and (folder / (name + suffix)).is_file():
            plain.close()
            response = send_from_directory(folder, name + suffix, mimetype=plain.mimetype)
            response.headers["Content-Encoding"] = encoding
            break
    del response.headers["Content-Disposition"]
    response.headers["Cache-Control"] = caching
    response.headers["Vary"] = "Accept-Encoding"
    return response
