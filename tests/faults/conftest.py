"""The same servers and corners as the integration tests have."""

from tests.integration.conftest import (  # noqa: F401 -- fixtures
    _dev_stack,
    config,
    corner,
    database,
    environment,
    run,
    spawn,
    zookeeper,
)
