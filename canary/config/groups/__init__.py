"""One module per group: a frozen dataclass whose fields are the options."""
