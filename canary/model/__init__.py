"""What a jobboard is and what may happen on it, without any input or output.

Nothing below this package knows kazoo, gevent, pymongo, cassandra or flask: observations come in as
plain values, changes go out as plain values, and the same values always give the same answer.
"""
