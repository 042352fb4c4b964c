"""A job's payload, the data of its znode: decoded, masked, and cut to a bounded size."""
