"""``make bench``: every measurement, one after the other, printed as tables."""

import sys

from bench import boards, conductor, dashboard, filters, pages, stream

MEASUREMENTS = {
    "boards": boards.measure,
    "conductor": conductor.measure,
    "pages": pages.measure,
    "stream": stream.measure,
    "filters": filters.measure,
    "dashboard": dashboard.measure,
}


def main(names: list[str]) -> int:
    """Run the measurements of these names, all of them where there are none."""
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        print(f"no such measurement: {unknown[0]}; there are {', '.join(MEASUREMENTS)}")
        return 2
    for name in names or MEASUREMENTS:
        print(MEASUREMENTS[name](), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
