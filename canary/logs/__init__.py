"""The programs' logs, and a writer for them that never blocks the program."""
