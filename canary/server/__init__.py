"""The API, the event stream and the dashboard: a Flask application, served by gunicorn on gevent.

``create_app`` takes its parts as arguments; ``main`` makes them, one set in each of gunicorn's
worker processes. Each module has one kind of answer, with the blueprint that serves it.
"""
