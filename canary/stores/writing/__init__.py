"""Writing the live store: taking a board, writing its batches, and repairing what is stored."""
