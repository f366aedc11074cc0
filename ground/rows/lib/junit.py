"""Run a test file's functions with the arguments of its command line, and write their results as JUnit XML.

A test file ends with `sys.exit(junit.run("custom/test_x.py", test_one, test_two))`: each function gets the positional
words as strings. Exit 0: all passed, 1: one failed. AssertionError and OSError are failures; anything else is a bug.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr


@dataclass
class Result:
    """The result of one test function. It passed when `failure` is None."""

    name: str
    seconds: float
    failure: str | None


def report(path: Path, classname: str, results: list[Result]) -> None:
    """Write one suite. The file is renamed when it is complete, so that nobody reads a part of it."""
    failed = sum(result.failure is not None for result in results)
    cases = "".join(
        f'<testcase classname={quoteattr(classname)} name={quoteattr(result.name)} time="{result.seconds:.3f}">'
        + (f"<failure message={quoteattr(result.failure)}/>" if result.failure is not None else "")
        + "</testcase>"
        for result in results
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites><testsuite name={quoteattr(classname)} tests="{len(results)}" failures="{failed}" errors="0">'
        f"{cases}</testsuite></testsuites>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def one(test: Callable[..., None], words: list[str]) -> Result:
    """Run one test function."""
    failure: str | None = None
    start = time.monotonic()
    try:
        test(*words)
    except (AssertionError, OSError) as error:
        failure = f"{type(error).__name__}: {error}"
    return Result(test.__name__, time.monotonic() - start, failure)


def run(classname: str, *tests: Callable[..., None]) -> int:
    """The command line of a test file: [WORD...] [--junit FILE]."""
    parser = argparse.ArgumentParser(prog=classname, description=tests[0].__doc__)
    parser.add_argument("word", nargs="*", help="what the tests are given: an address, a port, a domain")
    parser.add_argument("--junit", type=Path, metavar="FILE")
    args = parser.parse_args()
    results = []
    for test in tests:
        result = one(test, args.word)
        results.append(result)
        said = "passed" if result.failure is None else result.failure
        print(f"{classname}::{result.name} {said} ({result.seconds:.2f} s)", file=sys.stderr)
    if args.junit:
        report(args.junit, classname, results)
    return int(any(result.failure is not None for result in results))
