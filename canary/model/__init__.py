"""What a jobboard is and what may happen on it, without any input or output.

Nothing in this package knows kazoo, gevent, pymongo, cassandra or flask. Observations come in as
plain values, changes go out as plain values, and the same input always gives the same output.
"""
