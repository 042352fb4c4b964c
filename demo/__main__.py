"""`python -m demo`; see the package. Exit status 2: a setting in the environment is wrong."""

import asyncio
import sys

from canary.errors import CanaryError
from demo import run, settings
from demo.progress import say


def main() -> int:
    try:
        chosen = settings.from_environment()
    except (CanaryError, settings.SettingError) as error:
        say(str(error))
        return 2
    return asyncio.run(run.run(chosen))


if __name__ == "__main__":
    sys.exit(main())
