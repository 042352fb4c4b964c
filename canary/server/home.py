"""``/``: a plain page that shows the boards and their jobs as they change.

Static files of this package and nothing else: the page gets all it shows from the API.
"""

from pathlib import Path
from typing import Final

from flask import Blueprint, Response, send_from_directory

PAGE: Final = Path(__file__).parent / "page"


def blueprint() -> Blueprint:
    """Return the blueprint."""
    home = Blueprint("home", __name__, static_folder=PAGE, static_url_path="/page")

    @home.get("/")
    def answer() -> Response:
        return send_from_directory(PAGE, "index.html", max_age=0)

    return home
