#!/usr/bin/env python3
"""Back a stack up and restore it as Co-op Cloud's backup-bot-two does, by the labels of its services.

`backup FOLDER`: of each service with backupbot.backup=true: run backupbot.backup.pre-hook in its container, copy its
volumes, or of volume V only the paths in backupbot.backup.volumes.V.path, to FOLDER, run backupbot.backup.post-hook.
`restore FOLDER`: put the same files back, between backupbot.restore.pre-hook and .post-hook.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

HOOK_TIMEOUT = 120


def docker(*words: str, **options: object) -> str:
    """Standard output of the docker client. When it fails, exit with its error message."""
    done = subprocess.run(["docker", *words], text=True, check=False, capture_output=True, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        raise SystemExit(f"backupbot: docker {' '.join(words[:2])}: {done.stderr.strip() or done.returncode}")
    return str(done.stdout)


@dataclass
class Service:
    """A service whose labels ask for a backup."""

    name: str
    labels: dict[str, str]
    volumes: dict[str, PurePosixPath]

    def container(self) -> str:
        label = f"label=com.docker.swarm.service.name={self.name}"
        found = docker("ps", "--quiet", "--filter", label, "--filter", "status=running").split()
        if not found:
            raise SystemExit(f"backupbot: {self.name}: no container is running")
        return found[0]

    def hook(self, which: str) -> None:
        """Run a hook in the container. A pipe fails when any part of it fails."""
        command = self.labels.get(f"backupbot.{which}")
        if command:
            print(f"backupbot: {self.name}: {which}", file=sys.stderr)
            script = f"set -o pipefail; {command}"
            docker("exec", self.container(), "bash", "-c", script, timeout=HOOK_TIMEOUT)

    def paths(self) -> list[tuple[str, PurePosixPath]]:
        """Pairs of an archive's name and the path in the container that it holds."""
        found = []
        for volume, target in self.volumes.items():
            about = f"backupbot.backup.volumes.{volume}"
            if self.labels.get(about) == "false":
                continue
            chosen = self.labels.get(f"{about}.path")
            if chosen is None:
                found.append((f"{volume}.tar", target))
            else:
                parts = [part.strip() for part in chosen.split(",")]
                found += [(f"{volume}-{number}.tar", target / part) for number, part in enumerate(parts)]
        return found


def services(stack: str) -> list[Service]:
    """The stack's services whose labels ask for a backup."""
    ids = docker("service", "ls", "--quiet", "--filter", f"label=com.docker.stack.namespace={stack}").split()
    found = []
    for about in json.loads(docker("service", "inspect", *ids)) if ids else []:
        spec = about["Spec"]
        mounts = spec["TaskTemplate"]["ContainerSpec"].get("Mounts", [])
        volumes = {
            mount["Source"].removeprefix(f"{stack}_"): PurePosixPath(mount["Target"])
            for mount in mounts
            if mount.get("Type") == "volume" and mount.get("Source")
        }
        if spec.get("Labels", {}).get("backupbot.backup") == "true":
            found.append(Service(spec["Name"], spec["Labels"], volumes))
    if not found:
        raise SystemExit(f"backupbot: {stack}: no service has the label backupbot.backup=true")
    return found


def backup(service: Service, folder: Path) -> None:
    service.hook("backup.pre-hook")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for archive, path in service.paths():
            with (folder / archive).open("wb") as file:
                subprocess.run(["docker", "cp", f"{service.container()}:{path}", "-"], stdout=file, check=True)
    finally:
        service.hook("backup.post-hook")


def restore(service: Service, folder: Path) -> None:
    service.hook("restore.pre-hook")
    for archive, path in service.paths():
        with (folder / archive).open("rb") as file:
            subprocess.run(["docker", "cp", "-", f"{service.container()}:{path.parent}"], stdin=file, check=True)
    service.hook("restore.post-hook")


def main() -> None:
    parser = argparse.ArgumentParser(prog="backupbot", description=__doc__)
    parser.add_argument("action", choices=["backup", "restore"])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    act = {"backup": backup, "restore": restore}[args.action]
    for service in services(os.environ["REDFIX_STACK"]):
        act(service, args.folder / service.name.removeprefix(f"{os.environ['REDFIX_STACK']}_"))


if __name__ == "__main__":
    main()
