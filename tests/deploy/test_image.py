"""The container image: built by `make image` and run read-only, without a registry.

Buildah works without a daemon, also inside a container. The base image is made by
debootstrap in place of python:3.13-slim, so its Python is Debian's.
"""

import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedsvc import __version__
from tests.server import ROOT, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.image

BASE = "localhost/feedsvc-test-base"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# The root of the image is read-only; only /data, /dev and /proc are mounted in it.
RUN = """
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
mkdir -m 1777 "$1/dev/shm"
touch "$1/dev/null" "$1/dev/urandom"
mount --bind /dev/null "$1/dev/null"
mount --bind /dev/urandom "$1/dev/urandom"
mount -t proc proc "$1/proc"
mount -t tmpfs -o "uid=$2,gid=$3" tmpfs "$1/data"
root=$1; user=$2; group=$3
shift 3
exec chroot --userspec="$user:$group" "$root" /usr/bin/env -i -C /app "$@"
"""


def run(*command: str | Path, **options: Any) -> str:
    """Run a command; return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    output: str = done.stdout
    return output


@pytest.fixture(scope="module")
def buildah_storage() -> Iterator[None]:
    """Give Buildah a storage of its own, with a base image."""
    for program in ("buildah", "netavark", "debootstrap"):
        path = "/usr/sbin:/usr/lib/podman:" + os.environ["PATH"]
        if not shutil.which(program, path=path):
            pytest.skip(f"{program} is not installed")
    if os.getuid():
        pytest.skip("debootstrap and the mounts need root")
    _, processes = resource.getrlimit(resource.RLIMIT_NPROC)
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = f'"nproc={processes}:{processes}","nofile={files}:{files}"'
    # On a disk, where a gigabyte fits, and devices are allowed.
    with (
        tempfile.TemporaryDirectory(prefix="feedsvc-image-", dir="/var/tmp") as folder,
        pytest.MonkeyPatch.context() as environment,
    ):
        storage = Path(folder, "storage.conf")
        storage.write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/storage"\n'
            f'runroot = "{folder}/run"\n'
        )
        # Buildah raises these limits, which a container may not.
        containers = Path(folder, "containers.conf")
        containers.write_text(f"[containers]\ndefault_ulimits = [{limits}]\n")
        environment.setenv("CONTAINERS_STORAGE_CONF", str(storage))
        environment.setenv("CONTAINERS_CONF", str(containers))
        environment.setenv("BUILDAH_ISOLATION", "chroot")
        make_base(Path(folder, "base"))
        yield
        run("buildah", "umount", "--all")


def make_base(folder: Path) -> None:
    """Make a base image whose `python` and `pip` are where python:3.13-slim has them."""
    packages = "--include=python3-venv,ca-certificates"
    run("debootstrap", "--variant=minbase", packages, "stable", folder)
    # PyPI may be reached through a proxy with its own.
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, f"{folder}{CERTIFICATES}")
    run("chroot", folder, "python3", "-m", "venv", "/usr/local")
    path = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    container = run("buildah", "from", "scratch").strip()
    run("buildah", "add", "--quiet", container, folder, "/")
    run("buildah", "config", "--env", f"PATH={path}", container)
    run("buildah", "commit", "--quiet", container, BASE)


def test_image_serves_with_a_read_only_root(
    buildah_storage: None, tmp_path: Path
) -> None:
    options = f"--build-arg BASE={BASE} --network host"
    # `make image` prefers Docker, whose daemon would not have this base image.
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path}
    run("make", "image", f"IMAGE_OPTIONS={options}", cwd=ROOT, env=environ)

    image = f"feedsvc:{__version__}"
    inspected = json.loads(run("buildah", "inspect", "--type", "image", image))
    config = inspected["Docker"]["config"]
    assert config["User"] == "feedsvc"
    assert config["Volumes"] == {"/data": {}}
    container = run("buildah", "from", image).strip()
    root = Path(run("buildah", "mount", container).strip())
    passwd = (root / "etc/passwd").read_text()
    ((uid, gid),) = re.findall("^feedsvc:x:([0-9]+):([0-9]+)", passwd, re.M)
    assert int(uid) < 1000, "one of the system's"

    port = free_port()
    settings = [*config["Env"], f"PORT={port}", "HOST=127.0.0.1"]
    start = ["unshare", "--mount", "sh", "-c", RUN, "sh", root, uid, gid]
    commands = f"python -m feedsvc demo && exec {shlex.join(config['Cmd'])}"
    log = tmp_path / "log"
    with log.open("wb") as output:
        service = subprocess.Popen(
            [*start, *settings, "sh", "-c", commands],
            stdout=output,
            stderr=output,
        )
    try:
        kind, *check = config["Healthcheck"]["Test"]
        assert kind == "CMD"
        probe = ["chroot", root, "/usr/bin/env", "-i", *settings, *check]

        def is_healthy() -> bool:
            assert service.poll() is None, log.read_text()
            done = subprocess.run(probe, capture_output=True)
            return done.returncode == 0

        wait_until(is_healthy, 60)
        assert "export TOKEN=" in log.read_text()
        assert b"<item>" in subprocess.check_output(
            ["curl", "-sf", f"http://127.0.0.1:{port}/feeds/news.rss"]
        )
    finally:
        service.terminate()
        service.wait(30)
    assert "Traceback" not in log.read_text()
    assert subprocess.run(probe, capture_output=True).returncode == 1
