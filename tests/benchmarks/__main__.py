"""`make bench`: ours and a reference in one run, printed as ratios; absolute times mean nothing.

python -m tests.benchmarks [feeds] [cold_feeds] [answers] [answers_by_mail] [letters] [crowds]
"""

import os
import platform
import sys
from importlib import import_module

NAMES = ("feeds", "cold_feeds", "answers", "answers_by_mail", "letters", "crowds")


def describe_machine() -> str:
    """Say what the figures were measured on, without naming the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def main() -> None:
    """Run the named benchmarks, or all of them."""
    print(f"Machine: {describe_machine()}")
    for name in sys.argv[1:] or NAMES:
        print(f"\n{name}")
        for line in import_module(f"tests.benchmarks.{name}").run():
            print(f"  {line}")


if __name__ == "__main__":
    main()
