"""What is on Canary's own jobboard, and ``canary-producer``, which puts it there."""
