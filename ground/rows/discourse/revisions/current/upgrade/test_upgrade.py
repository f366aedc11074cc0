#!/usr/bin/env python3
"""After the upgrade the head runs: its version, and its image."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "lib"))
import junit


def inspected(service: str, field: str) -> str:
    """A field of the service's specification as the swarm has it."""
    command = ["docker", "service", "inspect", "--format", f"{{{{{field}}}}}", service]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"docker service inspect {service}: {done.stderr.strip()}"
    return done.stdout.strip()


def image_of_app(compose: str) -> str:
    """The image that the head's own compose file names, with ${NAME:-default} filled in."""
    found = re.search(r"^  app:\n    image: (\S+)$", Path(compose).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{compose} names no image of app"
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda part: os.environ.get(part[1]) or part[2], found[1])


def test_upgrade_runs_the_head(stack: str, version: str, compose: str) -> None:
    """The service has the head's version label and the image of the head's compose file."""
    label = inspected(f"{stack}_app", f'index .Spec.Labels "coop-cloud.{stack}.version"')
    assert label == version, f"the service says version {label}, not {version}"
    image = inspected(f"{stack}_app", ".Spec.TaskTemplate.ContainerSpec.Image").partition("@")[0]
    wanted = image_of_app(compose)
    assert image == wanted, f"app runs {image}, not {wanted} as the head's compose file says"


if __name__ == "__main__":
    sys.exit(junit.run("upgrade/test_upgrade.py", test_upgrade_runs_the_head))
