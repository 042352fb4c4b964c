"""`python -m canary.metrics` prints docs/metrics.md."""

import sys

from canary.metrics.document import document

if __name__ == "__main__":
    sys.stdout.write(document())
