"""`python -m canary.config` prints the sample configuration."""

import sys

from canary.config.sample import sample

if __name__ == "__main__":
    sys.stdout.write(sample())
