#!/usr/bin/env python3
"""The backup holds the database."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

# Files that show that a database is in the archive: a dump, or PostgreSQL's data folder.
HOLDERS = (".sql", "/PG_VERSION")


def test_backup_holds_the_database(folder: str) -> None:
    """One of the archives holds a dump or a data folder, and it is not empty."""
    archives = sorted(Path(folder).rglob("*.tar"))
    assert archives, "the backup has no archive"
    sizes: dict[str, int] = {}
    for archive in archives:
        try:
            with tarfile.open(archive) as tar:
                sizes.update({member.name: member.size for member in tar if member.name.endswith(HOLDERS)})
        except tarfile.TarError as error:
            raise AssertionError(f"{archive.name} is no whole archive: {error}") from error
    assert any(sizes.values()), f"no database in {', '.join(archive.name for archive in archives)}"


if __name__ == "__main__":
    sys.exit(junit.run("backup/test_backup.py", test_backup_holds_the_database))
