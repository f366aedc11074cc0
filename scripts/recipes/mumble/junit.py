"""Run one test function against HOST PORT and write its result as JUnit XML. Exit 0: passed, 1: failed."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr


def report(path: Path, classname: str, name: str, seconds: float, failure: str | None) -> None:
    """Write one test case; the file appears whole or not at all."""
    failed = failure is not None
    body = f"<failure message={quoteattr(failure)}/>" if failure is not None else ""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites><testsuite name={quoteattr(classname)} tests="1" failures="{int(failed)}" errors="0">'
        f'<testcase classname={quoteattr(classname)} name={quoteattr(name)} time="{seconds:.3f}">'
        f"{body}</testcase></testsuite></testsuites>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def run(classname: str, test: Callable[[str, int], None]) -> int:
    """The command line of a test file: HOST PORT [--junit FILE]."""
    parser = argparse.ArgumentParser(prog=classname, description=test.__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--junit", type=Path, metavar="FILE")
    args = parser.parse_args()
    failure: str | None = None
    start = time.monotonic()
    try:
        test(args.host, args.port)
    except (AssertionError, OSError) as error:
        failure = f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - start
    if args.junit:
        report(args.junit, classname, test.__name__, seconds, failure)
    print(f"{classname}::{test.__name__} {'passed' if failure is None else failure} ({seconds:.2f} s)", file=sys.stderr)
    return int(failure is not None)
