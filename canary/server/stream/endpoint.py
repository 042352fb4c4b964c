"""``GET /v2/stream``: what happens on the boards, as server-sent events or as JSON lines.

    board    a board's state: of all boards at first, then of a board whenever it changes
    change   something happened on a board
    gap      something happened that Canary did not see one by one
    store    whether MongoDB serves the server: while it does not, nothing comes
    reset    events may be missing: fetch again what is shown; the states of all boards follow
    dropped  the last event, with its reason: connect again with the last id

As JSON lines there is also ``heartbeat``, which says whether all that the server knows was sent.

An id says that everything up to it was sent. A client that connects with that id again, in the
header ``Last-Event-ID`` or in the parameter ``last_event_id``, gets the events after it, or a
``reset``. Changes and gaps have an id. A heartbeat has one as well: it comes behind the first
events and then every ``HEARTBEAT`` seconds, or sooner if no position was known. So a client whose
filter matches seldom has a recent id, too. Heartbeats also let gunicorn notice a client that has
disconnected. A stream ends within about a second after the process was told to stop.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flask import Response, request
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from canary.errors import StoreUnavailable
from canary.model.filters import Field as About
from canary.model.filters import Filters, only, without
from canary.server.http.access_log import EVENTS
from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.encoding import FORMS, EncodedEvent, Form, Heartbeat
from canary.server.stream.resume import CatchUp, Resumption
from canary.server.stream.shares import Shares, client_of
from canary.server.stream.subscription import Subscription
from canary.server.v2.answers import JOBBOARDS, asked_of, refused
from canary.server.v2.boards import is_asked
from canary.server.v2.query import KIND, NOT_KIND, KindName, Query
from canary.stores.changestream.events import Event, EventName
from canary.stores.queries import filtering

HEARTBEAT: Final = 2.0  # seconds
TURN: Final = 1.0  # seconds between two checks whether the process ends
KNOWN_LIMIT: Final = 5.0  # seconds for the feed to read the boards for the first time
SEND_LIMIT: Final = 60.0  # seconds that one write may block on a client that does not read
WRITE: Final = 100  # events written at once: a client that resumes may have missed thousands

_RESUMES: Final = "the id of the last event or heartbeat that the client received"


class StreamQuery(Query):
    """The filters of a stream, for changes and gaps. Only ``path`` applies to board events."""

    kind: list[KindName] = KIND
    not_kind: list[KindName] = NOT_KIND
    last_event_id: str | None = Field(
        None, description=f"{_RESUMES}, for clients that cannot send the header Last-Event-ID"
    )


class StreamHeaders(BaseModel):
    """The header with which a client resumes."""

    last_event_id: str | None = Field(None, alias="Last-Event-ID", description=_RESUMES)


@dataclass(frozen=True, slots=True)
class Sought:
    """The filter of one client. Filters of clients that ask for the same are equal.

    An age counts up to the event itself, so that a replayed event matches as it did at first.
    """

    filters: Filters
    _change: filtering.Matcher = field(init=False, repr=False, compare=False)
    _gap: filtering.Matcher = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the filters into one function for changes and one for gaps."""
        object.__setattr__(self, "_change", filtering.change_matcher(self.filters))
        object.__setattr__(self, "_gap", filtering.gap_matcher(self.filters))

    @property
    def is_costly(self) -> bool:
        """Whether the filter depends on more than an event's path."""
        return bool(without(self.filters, About.PATH))

    @property
    def paths(self) -> frozenset[str] | None:
        """The paths of the only boards that the filter may match; None if it may match any."""
        asked = [each for each in only(self.filters, About.PATH) if not each.negated]
        if not asked:
            return None
        first, *others = ({str(path) for path in each.values} for each in asked)
        return frozenset(first.intersection(*others))

    def __call__(self, event: Event) -> bool:
        """Return whether an event about a board matches."""
        document = event.document
        if event.name is EventName.CHANGE and document is not None:
            return self._change(document, document["seen_at"])
        if event.name is EventName.GAP and document is not None:
            return self._gap(document, document["to"])
        return is_asked(event.path or "", self.filters)


def blueprint(resumption: Resumption, shares: Shares) -> APIBlueprint:
    """Return the blueprint. ``shares`` limits how many streams each client may have."""
    broadcaster = resumption.broadcaster
    stream = APIBlueprint("v2_stream", __name__, abp_tags=[JOBBOARDS])

    @stream.get("/v2/stream", responses=_described())
    def answer(query: StreamQuery, header: StreamHeaders) -> Response:
        """Stream what happens, from now on or from the client's last id. The stream does not end.

        Filters apply to changes and gaps as in their lists. Board events are filtered by path only.
        All other events are sent to every client.
        """
        give_back = shares.take(client_of(request.environ))
        try:
            response, leave = opened(query, header.last_event_id or query.last_event_id)
        except BaseException:
            give_back()
            raise
        response.call_on_close(leave)
        response.call_on_close(give_back)
        return response

    def opened(query: StreamQuery, last: str | None) -> tuple[Response, Callable[[], None]]:
        """Return the response, and a function to call once it has ended."""
        sought, form = Sought(asked_of(query)), _form()
        if not broadcaster.wait_until_known(KNOWN_LIMIT):
            why = broadcaster.current.why_away or "The boards have not been read from MongoDB yet"
            raise StoreUnavailable(f"{why}; connect again later")
        catch_up: CatchUp | None = None
        if last:
            subscription, catch_up = resumption.resume(sought, last)
        else:
            subscription = broadcaster.subscribe(sought)
        _limit_sending()
        events = _events(broadcaster, subscription, catch_up, form, request.environ)
        response = Response(events, content_type=form.content_type)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        response.headers["Vary"] = "Accept"

        def leave() -> None:
            broadcaster.unsubscribe(subscription)
            if catch_up is not None:
                catch_up.close()

        return response, leave

    return stream


def _described() -> dict[Any, Any]:
    text = {"schema": {"type": "string"}}
    content = {form.content_type: dict(text) for form in FORMS}
    about = "an endless stream of events: server-sent events, or one JSON object per line"
    return refused() | {200: {"description": about, "content": content}}


def _form() -> Form:
    """Return the form that the request's Accept header prefers."""
    types = [form.content_type for form in FORMS]
    best = request.accept_mimetypes.best_match(types, default=types[0])
    return FORMS[types.index(best)]


def _events(
    broadcaster: Broadcaster,
    subscription: Subscription,
    catch_up: CatchUp | None,
    form: Form,
    environ: dict[str, Any],
) -> Iterator[bytes]:
    """Yield the response's bytes; count the events that were sent in ``environ``."""
    environ[EVENTS] = 0
    yield form.preamble()
    for told in _waves(broadcaster, subscription, catch_up):
        for first in range(0, len(told), WRITE):
            some = told[first : first + WRITE]
            count = sum(isinstance(each, EncodedEvent) for each in some)
            environ[EVENTS] += count
            broadcaster.observer.sent(count)
            yield b"".join([each.sent(form) for each in some])


def _waves(
    broadcaster: Broadcaster, subscription: Subscription, catch_up: CatchUp | None
) -> Iterator[Sequence[EncodedEvent | Heartbeat]]:
    """Yield the events and heartbeats to send next, in batches."""
    if catch_up is not None:
        yield subscription.take(0) or []  # the boards always come first
        for told in catch_up.pieces(subscription):
            yield told
            if broadcaster.is_ending:
                return
    clock = broadcaster.clock
    due, wait = clock.elapsed(), 0.0  # the first heartbeat comes with the first events
    while not broadcaster.is_ending:
        taken = subscription.take(wait)
        if taken is None:
            return
        if clock.elapsed() >= due:
            place = broadcaster.place_of(subscription)  # if None, ask again after TURN
            due = clock.elapsed() + (TURN if place is None else HEARTBEAT)
            yield [*taken, Heartbeat(place, is_reached=place is not None)]
        elif taken:
            yield taken
        wait = min(TURN, max(0.0, due - clock.elapsed()))


def _limit_sending() -> None:
    """Let a write to this client fail if it blocks for ``SEND_LIMIT`` seconds.

    Without that, a client that does not read would occupy its stream for ever.
    """
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.set_patience(SEND_LIMIT)
