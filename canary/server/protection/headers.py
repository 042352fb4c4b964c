"""The security headers of every response, errors included.

Payloads are hostile, and a page shows them. So a browser may run and load nothing but this server's
own files, no other site may show, read or embed a response, and a browser may store no response but
the page's own files. There is no CORS header.
"""

from typing import Final

from werkzeug.datastructures import Headers

SECURITY: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def secure(headers: Headers) -> None:
    """Add the security headers that ``headers`` does not have yet."""
    for name, value in SECURITY.items():
        headers.setdefault(name, value)
