#!/usr/bin/env python3
"""After the upgrade the head runs: its version, and its image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import junit

# The head is pull request 4: away from the image that its publisher gave up, to the official one.
OFFICIAL_IMAGE = "discourse/discourse"


def inspected(service: str, field: str) -> str:
    """A field of the service's specification as the swarm has it."""
    command = ["docker", "service", "inspect", "--format", f"{{{{{field}}}}}", service]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"docker service inspect {service}: {done.stderr.strip()}"
    return done.stdout.strip()


def test_upgrade_runs_the_head(stack: str, version: str, _compose: str) -> None:
    """The service has the head's version label and the official image."""
    label = inspected(f"{stack}_app", f'index .Spec.Labels "coop-cloud.{stack}.version"')
    assert label == version, f"the service says version {label}, not {version}"
    image = inspected(f"{stack}_app", ".Spec.TaskTemplate.ContainerSpec.Image")
    name = image.partition("@")[0].rpartition(":")[0]
    assert name == OFFICIAL_IMAGE, f"app runs {name}, not the official image {OFFICIAL_IMAGE}"


if __name__ == "__main__":
    sys.exit(junit.run("upgrade/test_upgrade.py", test_upgrade_runs_the_head))
