"""``GET /v2/stream``: server-sent events, or JSON lines, one for whatever happens on the boards.

    board    a board's state: all of them first, then each whenever it changes
    change   something happened on a board
    gap      something happened that Canary did not see one by one
    store    whether MongoDB answers: while it does not, nothing comes
    reset    events may be missing: fetch anew what is shown; the state of every board follows
    dropped  the last one, with its reason: connect again with the last id

and, as JSON lines, ``heartbeat``, which says whether all that is known here has been sent.

An id says that everything up to it has been sent. Who comes back with it, in ``Last-Event-ID`` or
as the parameter ``last_event_id``, gets what came after it, or a ``reset``. Changes and gaps have
one; another comes by itself, in a heartbeat, behind the first events and every
``HEARTBEAT`` seconds, sooner where none was known, so that who asked for little need not go far
back. A heartbeat is also how gunicorn notices a client that is gone. A stream ends within a second
or so of the process being told to stop.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, request
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from canary.errors import StoreUnavailable
from canary.model.filters import Filters
from canary.server.access import EVENTS
from canary.server.audience import Audience
from canary.server.memory import Crowd
from canary.server.resuming import CatchUp, Resuming
from canary.server.subscription import Subscription
from canary.server.telling import FORMS, Form, Heartbeat, Telling
from canary.server.v2.answers import JOBBOARDS, asked_of, refused
from canary.server.v2.boards import is_asked
from canary.server.v2.query import KIND, NOT_KIND, KindName, Query
from canary.stores import filtering
from canary.stores.events import Event, EventName

HEARTBEAT: Final = 2.0  # seconds
TURN: Final = 1.0  # seconds between two looks at whether the process ends
KNOWN_LIMIT: Final = 5.0  # seconds for the feed to read the boards for the first time
SEND_LIMIT: Final = 60.0  # seconds that one write may block on a client that does not read
WRITE: Final = 100  # events written at once: a client that comes back may have missed thousands

_RESUMES: Final = "the id of the last event that came, or of the last heartbeat"


class StreamQuery(Query):
    """What is streamed: changes and gaps that the filters find, and the boards of ``path``."""

    kind: list[KindName] = KIND
    not_kind: list[KindName] = NOT_KIND
    last_event_id: str | None = Field(
        None, description=f"{_RESUMES}, for who cannot send the header Last-Event-ID"
    )


class StreamHeaders(BaseModel):
    """By what a client goes on from where it was."""

    last_event_id: str | None = Field(None, alias="Last-Event-ID", description=_RESUMES)


@dataclass(frozen=True, slots=True)
class Sought:
    """What one client asks for: equal for all who ask for the same.

    Ages count up to the event itself, so that it is told again just as it was told first.
    """

    filters: Filters

    def __call__(self, event: Event) -> bool:
        """Tell whether an event that is about a board is among it."""
        document = event.document
        if event.name is EventName.CHANGE and document is not None:
            return filtering.matches(document, self.filters, document["seen_at"])
        if event.name is EventName.GAP and document is not None:
            return filtering.matches_gap(document, self.filters, document["to"])
        return is_asked(event.path or "", self.filters)


def blueprint(resuming: Resuming) -> APIBlueprint:
    """Return the blueprint."""
    audience, crowd = resuming.audience, Crowd()
    stream = APIBlueprint("v2_stream", __name__, abp_tags=[JOBBOARDS])

    @stream.get("/v2/stream", responses=_described())
    def answer(query: StreamQuery, header: StreamHeaders) -> Response:
        """Stream what happens, from now on or from where a client was, without an end.

        The filters find changes and gaps as in their lists; events of boards only go by path, and
        store, reset and dropped come to everybody.
        """
        sought, form = Sought(asked_of(query)), _form()
        if not audience.wait_until_known(KNOWN_LIMIT):
            raise StoreUnavailable("MongoDB has not told the boards yet; connect again in a while")
        last = header.last_event_id or query.last_event_id
        catch_up: CatchUp | None = None
        if last:
            subscription, catch_up = resuming.resume(sought, last)
        else:
            subscription = audience.subscribe(sought)
        _limit_sending()
        events = _events(audience, subscription, catch_up, form, request.environ)
        response = Response(events, content_type=form.content_type)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        response.headers["Vary"] = "Accept"
        crowd.is_now(audience.size)

        @response.call_on_close
        def leave() -> None:
            audience.unsubscribe(subscription)
            if catch_up is not None:
                catch_up.close()
            crowd.is_now(audience.size)

        return response

    return stream


def _described() -> dict[Any, Any]:
    text = {"schema": {"type": "string"}}
    content = {form.content_type: dict(text) for form in FORMS}
    about = "events without an end, as server-sent events or as one JSON object a line"
    return refused() | {200: {"description": about, "content": content}}


def _form() -> Form:
    """Return how the client wants it."""
    types = [form.content_type for form in FORMS]
    best = request.accept_mimetypes.best_match(types, default=types[0])
    return FORMS[types.index(best)]


def _events(
    audience: Audience,
    subscription: Subscription,
    catch_up: CatchUp | None,
    form: Form,
    environ: dict[str, Any],
) -> Iterator[bytes]:
    """Yield what the client is sent; ``environ`` holds how many events that are."""
    environ[EVENTS] = 0
    yield form.preamble
    for told in _waves(audience, subscription, catch_up):
        for first in range(0, len(told), WRITE):
            some = told[first : first + WRITE]
            count = sum(isinstance(each, Telling) for each in some)
            environ[EVENTS] += count
            audience.observer.sent(count)
            yield b"".join([each.sent(form) for each in some])


def _waves(
    audience: Audience, subscription: Subscription, catch_up: CatchUp | None
) -> Iterator[Sequence[Telling | Heartbeat]]:
    """Yield what is sent next."""
    if catch_up is not None:
        for told in catch_up.pieces(subscription):
            yield told
            if audience.is_ending:
                return
    due, wait = time.monotonic(), 0.0  # the first heartbeat comes with the first events
    while not audience.is_ending:
        taken = subscription.take(wait)
        wait = TURN
        if taken is None:
            return
        if time.monotonic() >= due:
            place = audience.place_of(subscription)  # None: somebody waits for it to be known
            due = time.monotonic() + (TURN if place is None else HEARTBEAT)
            yield [*taken, Heartbeat(place, is_reached=place is not None)]
        elif taken:
            yield taken


def _limit_sending() -> None:
    """Let a write to this client fail that blocks too long: it would hold its stream for ever."""
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SEND_LIMIT)
