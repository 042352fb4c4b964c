"""The API, the event stream and the dashboard: a Flask application, served by gunicorn on gevent.

``create_app`` is handed its parts; ``main`` makes them, one set in each of gunicorn's processes.
One noun a module: what it answers, and the blueprint that answers it.
"""
