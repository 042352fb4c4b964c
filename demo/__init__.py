"""`make demo`: real TaskFlow conductors at work on two jobboards, and Canary watching them.

`python -m demo`, run under devstack, starts Canary's three programs and one load a board, says
where the dashboard is, and goes on until Ctrl-C. With DEMO_SECONDS=30 the load ends after so many
seconds, and what it wrote down of its own doings is compared with what Canary recorded of them: the
exit status is 1 where they differ or where Canary missed anything.

What is not here: servers (devstack), and anything that Canary needs to run.
"""
