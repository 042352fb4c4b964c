"""gunicorn as Canary uses it: its processes, connections and logs."""
