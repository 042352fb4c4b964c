"""What `make mutants` needs, where each test runs a thousand times and is called by its name."""

from hypothesis import HealthCheck, Phase, settings

# The same few examples for every mutant, and none made smaller that has failed; mutmut runs a test
# of a class under more than one instance.
settings.register_profile(
    "mutants",
    max_examples=20,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Return what a case is called: a short name without backslashes, by which pytest finds it."""
    if not isinstance(val, str | bytes | dict | list):
        return None
    name = val if isinstance(val, str) else repr(val)
    plain = (each if each.isprintable() and each not in "\\:[]" else "|" for each in name)
    return "".join(plain)[:50]
