"""The files of deploy/ are valid, and agree with each other and with the service."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import compose_spec.models
import kubernetes_validate
import pytest
import yaml
from dotenv import dotenv_values

from feedsvc import __version__
from feedsvc.feeds.query import PARAMETERS
from tests.formats.golden import assert_generated
from tests.postgres import Cluster
from tests.server import ROOT
from tests.settings import read_settings, setting_names

DEPLOY = ROOT / "deploy"
DOCUMENTS = list(
    yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))
)
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


def containers() -> Iterator[dict[str, Any]]:
    for document in DOCUMENTS:
        yield from (
            document.get("spec", {})
            .get("template", {})
            .get("spec", {})
            .get("containers", [])
        )


@pytest.mark.parametrize(
    "document",
    DOCUMENTS,
    ids=lambda document: f"{document['kind']}-{document['metadata']['name']}",
)
def test_kubernetes_resource_is_valid(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(
        document, kubernetes_validate.latest_version(), strict=True
    )


def resource(kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = (
        document
        for document in DOCUMENTS
        if (document["kind"], document["metadata"]["name"]) == (kind, name)
    )
    return found


def environment_of_pods() -> dict[str, str]:
    variables = next(containers_of("feedsvc"))["env"]
    return {
        each["name"]: each["value"] for each in variables if "value" in each
    }


@pytest.mark.parametrize("name", ["feedsvc", "feedsvc-nginx"])
def test_kubernetes_services_find_their_pods(name: str) -> None:
    pods = resource("Deployment", name)["spec"]
    service = resource("Service", name)["spec"]
    labels = pods["template"]["metadata"]["labels"]
    assert pods["selector"]["matchLabels"] == labels == service["selector"]


def test_kubernetes_pods_are_behind_nginx() -> None:
    (port,) = resource("Service", "feedsvc")["spec"]["ports"]
    (listening,) = next(containers_of("feedsvc"))["ports"]
    assert (
        listening["containerPort"] == read_settings(environment_of_pods()).port
    )
    _, _, command = next(containers_of("nginx"))["command"]
    shipped, own = re.findall(r"s/(.*?)/(.*?)/", command)[0]
    assert own == f"feedsvc:{port['port']}"
    assert f"server {shipped};" in (DEPLOY / "upstream.conf").read_text(
        "utf-8"
    )


def test_image_has_the_same_version_and_user_everywhere() -> None:
    container = next(containers_of("feedsvc"))
    assert container["image"] == f"feedsvc:{__version__}"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    operating = (ROOT / "docs/operating.md").read_text("utf-8")
    assert f" feedsvc:{__version__}\n" in operating
    assert f" feedsvc:{__version__} " in (ROOT / "README.md").read_text(
        "utf-8"
    )
    assert f"`feedsvc, version {__version__}`" in operating
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    users = set(re.findall(r"--[ug]id (\d+)", dockerfile))
    pods = resource("Deployment", "feedsvc")["spec"]["template"]["spec"]
    users.add(str(pods["securityContext"]["runAsUser"]))
    assert users == {"990"}


def containers_of(name: str) -> Iterator[dict[str, Any]]:
    return (
        container for container in containers() if container["name"] == name
    )


def test_compose_file_is_valid() -> None:
    # Dumped again, because compose_spec's YAML has no merge keys.
    compose_spec.PyCompose.from_yaml(yaml.safe_dump(COMPOSE)).validate()
    assert set(COMPOSE["services"]) == {"feedsvc", "nginx", "db"}
    for service in COMPOSE["services"].values():
        assert set(service) <= set(compose_spec.models.Service.model_fields)
        for name in service.get("depends_on", {}):
            assert "healthcheck" in COMPOSE["services"][name]


@pytest.mark.golden
def test_nginx_forwards_the_parameters_of_feeds() -> None:
    names = list(PARAMETERS)
    maps = "".join(
        f'map $arg_{name} $feed_{name} {{ default "&{name}=$arg_{name}"; "" ""; }}\n'
        for name in names
    )
    arguments = "".join(f"$feed_{name}" for name in names)
    assert_generated(
        DEPLOY / "nginx.conf",
        {
            r"(?:map \$arg_\w+ \$feed_.*\n)+": maps,
            r'(?<=")\$feed_limit.*(?=")': arguments,
        },
    )


def test_nginx_and_the_service_of_compose_find_each_other() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text("utf-8")
    upstream = (DEPLOY / "upstream-compose.conf").read_text("utf-8")
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    services = COMPOSE["services"]
    assert services["feedsvc"]["deploy"] == {"replicas": 2}
    # All are in the default network of the project.
    for each in services.values():
        assert not {"network_mode", "networks"} & set(each)
    volumes = services["nginx"]["volumes"]
    files = dict(volume.removesuffix(":ro").split(":") for volume in volumes)
    assert (
        files
        == {
            "./nginx.conf": "/etc/nginx/conf.d/default.conf",  # in place of the image's
            "./upstream-compose.conf": "/etc/nginx/conf.d/upstream.conf",
        }
    )
    assert "default feedsvc:8000;" in upstream
    assert "HOST=0.0.0.0 PORT=8000" in dockerfile
    assert "listen 80 " in nginx
    assert services["nginx"]["ports"] == ["80:80"]
    assert "ports" not in services["feedsvc"]


@pytest.mark.parametrize("password", ["a@b/c", "100%25:?#[]", "p'\"\\ ü"])
def test_password_of_compose_needs_no_escape(
    cluster: Cluster, password: str
) -> None:
    environment = COMPOSE["services"]["feedsvc"]["environment"]
    assert (
        environment["PGPASSWORD"]
        == COMPOSE["services"]["db"]["environment"]["POSTGRES_PASSWORD"]
    )
    quoted = password.replace("'", "''")
    cluster.run(f"CREATE ROLE feedsvc LOGIN PASSWORD '{quoted}'")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "feedsvc", "token", "list"],
            cwd=ROOT,
            env={
                **os.environ,
                "FEEDSVC_DATABASE_URL": environment[
                    "FEEDSVC_DATABASE_URL"
                ].replace(
                    "@db/feedsvc", f"@127.0.0.1:{cluster.port}/postgres"
                ),
                "PGPASSWORD": password,
            },
            capture_output=True,
            text=True,
        )
    finally:
        cluster.run("DROP ROLE feedsvc")
    # It has connected, to a database without tables.
    assert done.returncode == 1
    assert "needs an upgrade" in done.stderr


def test_connections_of_kubernetes_fit_postgresql() -> None:
    """A worker has 10 connections and 10 more for a time; another one may replace it."""
    text = (DEPLOY / "kubernetes.yaml").read_text("utf-8")
    (maximum,) = map(int, re.findall(r"max_connections to (\d+)", text))
    spec = resource("Deployment", "feedsvc")["spec"]
    pods = spec["replicas"] + spec["strategy"]["rollingUpdate"]["maxSurge"]
    workers = int(environment_of_pods()["WEB_CONCURRENCY"])
    assert pods * (workers + 1) * 20 <= maximum - 3


def test_files_name_only_existing_settings() -> None:
    for name in ("kubernetes.yaml", "compose.yaml", "feedsvc.env"):
        named = set(
            re.findall(
                r"\bFEEDSVC_[A-Z_]+\b", (DEPLOY / name).read_text("utf-8")
            )
        )
        assert named
        assert named <= setting_names(), name


def variables_of_docker_run() -> dict[str, str]:
    operating = (ROOT / "docs/operating.md").read_text("utf-8")
    return dict(re.findall(r" -e (\w+)=('[^']+'|\S+)", operating))


@pytest.mark.parametrize(
    "settings",
    [
        dotenv_values(DEPLOY / "feedsvc.env"),
        COMPOSE["services"]["feedsvc"]["environment"],
        environment_of_pods(),
        variables_of_docker_run(),
    ],
    ids=["feedsvc.env", "compose.yaml", "kubernetes.yaml", "docker run"],
)
def test_example_replaces_the_defaults_of_hanoi(
    settings: dict[str, str],
) -> None:
    for name in ("TITLE", "DESCRIPTION", "LANGUAGE", "TIMEZONE"):
        assert settings[f"FEEDSVC_SITE_{name}"], name
    assert settings["FEEDSVC_PUBLIC_URL"]
    assert "Hà Nội" not in str(settings)


def test_systemd_unit_starts_the_command_of_make_serve() -> None:
    unit = (DEPLOY / "feedsvc.service").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for text in (unit, makefile):
        assert "/feedsvc serve\n" in text


@pytest.mark.skipif(
    not shutil.which("sqlite3"), reason="sqlite3 is not installed"
)
def test_backup_unit_replaces_what_is_old_or_incomplete(
    tmp_path: Path, sqlite_template: Path
) -> None:
    (tmp_path / "feedsvc").mkdir()
    shutil.copy(sqlite_template, tmp_path / "feedsvc/feedsvc.db")
    backups = tmp_path / "feedsvc-backup"
    backups.mkdir()
    (backups / "new").write_text("incomplete")
    (backups / "feedsvc-old").touch()
    os.utime(backups / "feedsvc-old", (0, 0))
    unit = (DEPLOY / "feedsvc-backup.service").read_text("utf-8")
    for command in re.findall(r"^ExecStart=(.*)", unit, re.MULTILINE):
        for specifier, value in (
            ("%S", str(tmp_path)),
            ("%%", "%"),
            ("$$", "$"),
        ):
            command = command.replace(specifier, value)
        subprocess.run(shlex.split(command), cwd=backups, check=True)
    (backup,) = backups.iterdir()
    assert re.fullmatch(r"feedsvc-[-\dT]+", backup.name)
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT * FROM revisions").fetchone()


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="there is no systemd"
)
def test_systemd_units_of_backups_are_valid() -> None:
    units = sorted(map(str, DEPLOY.glob("feedsvc-backup.*")))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="there is no systemd"
)
def test_systemd_unit_is_valid(tmp_path: Path) -> None:
    here = tmp_path / "feedsvc.service"
    unit = (DEPLOY / "feedsvc.service").read_text("utf-8")
    here.write_text(
        re.sub(r"(ExecStart=)/opt/feedsvc/\S+", r"\1/bin/true", unit)
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(here)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    rated = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=20",
            str(here),
        ],
        capture_output=True,
        text=True,
    )
    assert rated.returncode == 0, rated.stdout[-500:]
