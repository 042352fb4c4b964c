"""canary-worker: a TaskFlow conductor for watch jobs, and everything that runs beside it."""
