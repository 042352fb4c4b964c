"""What the server and the doctor read from the live store. Nothing here writes."""
