"""One module a group: a frozen dataclass whose fields are the options."""
