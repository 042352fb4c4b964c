"""MongoDB's change streams: events as they happen, and replayed from a position."""
