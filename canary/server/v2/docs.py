"""``/openapi.json``, which describes ``/v2``, and ``/docs``, a page that shows it.

The page is Swagger UI as its package ships it. A script of this server starts it, because the
content security policy allows no inline scripts.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Final

import flask_openapi3_swagger
from flask import Blueprint, Response, abort, request, send_from_directory
from flask_openapi3 import OpenAPI

from canary.server.protection.headers import SECURITY

PAGE: Final = Path(__file__).parents[1] / "page"
_SWAGGER: Final = Path(str(files(flask_openapi3_swagger))) / "templates" / "swagger"
_SHIPPED: Final = {
    "swagger-ui.css": _SWAGGER / "css",
    "swagger-ui-bundle.js": _SWAGGER / "js",
}
_MAX_AGE: Final = 3_600  # seconds
# Swagger UI's style sheet contains icons as data: URLs.
_POLICY: Final = SECURITY["Content-Security-Policy"] + "; img-src 'self' data:"


def blueprint(app: OpenAPI) -> Blueprint:
    """Return the blueprint that serves the OpenAPI description of ``app``."""
    docs = Blueprint("docs", __name__)

    @docs.get("/openapi.json")
    def describe() -> Response:
        # Behind a proxy that serves Canary below a path, all described paths are below it, too.
        base = {"servers": [{"url": request.script_root}]} if request.script_root else {}
        return Response(json.dumps(app.api_doc | base), content_type="application/json")

    @docs.get("/docs")
    def show() -> Response:
        response = send_from_directory(PAGE, "docs.html", max_age=0)
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    @docs.get("/docs/<name>")
    def shipped(name: str) -> Response:
        if name not in _SHIPPED:
            abort(404)
        return send_from_directory(_SHIPPED[name], name, max_age=_MAX_AGE)

    return docs
