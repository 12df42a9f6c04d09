"""The files of deploy/ are valid, and agree with each other and with the service."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import compose_spec.models
import kubernetes_validate
import pytest
import sqlalchemy as sa
import yaml
from dotenv import dotenv_values

from feedsvc import __version__
from feedsvc.feeds.query import PARAMETERS
from feedsvc.models import utcnow
from feedsvc.storage.database import Database
from tests.formats.golden import assert_generated
from tests.postgres import Cluster
from tests.server import ROOT, read_project_file
from tests.settings import read_settings, setting_names

DEPLOY = ROOT / "deploy"
DOCUMENTS = list(yaml.safe_load_all(read_project_file("deploy/kubernetes.yaml")))
COMPOSE = yaml.safe_load(read_project_file("deploy/compose.yaml"))


@pytest.mark.parametrize(
    "document",
    DOCUMENTS,
    ids=lambda document: f"{document['kind']}-{document['metadata']['name']}",
)
def test_kubernetes_resource_is_valid(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(
        document, kubernetes_validate.latest_version(), strict=True
    )


SPECS: dict[tuple[str, str], Any] = {
    (document["kind"], document["metadata"]["name"]): document.get("spec")
    for document in DOCUMENTS
}
DEPLOYMENT = SPECS["Deployment", "feedsvc"]
PODS = DEPLOYMENT["template"]["spec"]
(CONTAINER,) = PODS["containers"]
ENVIRONMENT = {
    each["name"]: each["value"] for each in CONTAINER["env"] if "value" in each
}


@pytest.mark.parametrize("name", ["feedsvc", "feedsvc-nginx"])
def test_kubernetes_services_find_their_pods(name: str) -> None:
    pods = SPECS["Deployment", name]
    service = SPECS["Service", name]
    labels = pods["template"]["metadata"]["labels"]
    assert pods["selector"]["matchLabels"] == labels == service["selector"]


def test_kubernetes_pods_are_behind_nginx() -> None:
    (port,) = SPECS["Service", "feedsvc"]["ports"]
    (listening,) = CONTAINER["ports"]
    assert listening["containerPort"] == read_settings(ENVIRONMENT).port
    nginx = SPECS["Deployment", "feedsvc-nginx"]["template"]["spec"]
    _, _, command = nginx["containers"][0]["command"]
    shipped, own = re.findall(r"s/(.*?)/(.*?)/", command)[0]
    assert own == f"feedsvc:{port['port']}"
    assert f"server {shipped} " in read_project_file("deploy/upstream.conf")


def test_image_has_the_same_version_and_user_everywhere() -> None:
    assert CONTAINER["image"] == f"feedsvc:{__version__}"
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    operating = read_project_file("docs/operating.md")
    assert f" feedsvc:{__version__}\n" in operating
    assert f"`feedsvc, version {__version__}`" in operating
    assert f" feedsvc:{__version__} " in read_project_file("README.md")
    users = re.findall(r"--[ug]id (\d+)", read_project_file("Dockerfile"))
    users.append(str(PODS["securityContext"]["runAsUser"]))
    assert set(users) == {"990"}


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
    services = COMPOSE["services"]
    assert services["feedsvc"]["deploy"] == {"replicas": 2}
    # All are in the default network of the project.
    for each in services.values():
        assert not {"network_mode", "networks"} & set(each)
    assert set(services["nginx"]["volumes"]) == {
        "./nginx.conf:/etc/nginx/conf.d/default.conf:ro",
        "./upstream-compose.conf:/etc/nginx/conf.d/upstream.conf:ro",
    }
    upstream = read_project_file("deploy/upstream-compose.conf")
    assert "default feedsvc:8000;" in upstream
    assert "HOST=0.0.0.0 PORT=8000" in read_project_file("Dockerfile")
    assert "listen 80 " in read_project_file("deploy/nginx.conf")
    assert services["nginx"]["ports"] == ["80:80"]
    assert "ports" not in services["feedsvc"]


@pytest.mark.parametrize("password", ["a@b/c", "100%25:?#[]", "p'\"\\ ü"])
def test_password_of_compose_needs_no_escape(
    cluster: Cluster, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = COMPOSE["services"]["feedsvc"]["environment"]
    owner = COMPOSE["services"]["db"]["environment"]
    assert environment["PGPASSWORD"] == owner["POSTGRES_PASSWORD"]
    monkeypatch.setenv("PGPASSWORD", password)
    url = environment["FEEDSVC_DATABASE_URL"].replace(
        "@db/feedsvc", f"@127.0.0.1:{cluster.port}/postgres"
    )
    quoted = password.replace("'", "''")
    cluster.run(f"CREATE ROLE feedsvc LOGIN PASSWORD '{quoted}'")
    database = Database(url, utcnow)
    try:
        with database.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    finally:
        database.close()
        cluster.run("DROP ROLE feedsvc")


def test_connections_of_kubernetes_fit_postgresql() -> None:
    """A worker has 10 connections and 10 more for a time; another one may replace it."""
    text = read_project_file("deploy/kubernetes.yaml")
    (maximum,) = re.findall(r"max_connections to (\d+)", text)
    surge = DEPLOYMENT["strategy"]["rollingUpdate"]["maxSurge"]
    workers = (DEPLOYMENT["replicas"] + surge) * (
        int(ENVIRONMENT["WEB_CONCURRENCY"]) + 1
    )
    assert workers * 20 <= int(maximum) - 3


def test_files_name_only_existing_settings() -> None:
    for name in ("kubernetes.yaml", "compose.yaml", "feedsvc.env"):
        named = re.findall(r"\bFEEDSVC_[A-Z_]+\b", read_project_file(f"deploy/{name}"))
        assert named
        assert set(named) <= setting_names(), name


@pytest.mark.parametrize(
    "settings",
    [
        dotenv_values(DEPLOY / "feedsvc.env"),
        COMPOSE["services"]["feedsvc"]["environment"],
        ENVIRONMENT,
        dict(
            re.findall(
                r" -e (\w+)=('[^']+'|\S+)",
                read_project_file("docs/operating.md"),
            )
        ),
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
    for name in ("deploy/feedsvc.service", "Makefile"):
        assert "/feedsvc serve\n" in read_project_file(name)


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="sqlite3 is not installed")
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
    unit = read_project_file("deploy/feedsvc-backup.service")
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


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_systemd_units_are_valid_and_restricted(tmp_path: Path) -> None:
    unit = tmp_path / "feedsvc.service"
    text = read_project_file("deploy/feedsvc.service")
    command = r"(ExecStart=)/opt/feedsvc/\S+"
    unit.write_text(re.sub(command, r"\1/bin/true", text))
    timers = [
        *map(str, DEPLOY.glob("feedsvc-*.timer")),
        *map(str, DEPLOY.glob("feedsvc-*.service")),
    ]
    for arguments in (
        ["verify", "--man=no", *timers],
        ["verify", "--man=no", str(unit)],
        ["security", "--offline=true", "--threshold=20", str(unit)],
    ):
        done = subprocess.run(
            ["systemd-analyze", *arguments], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-500:]
        assert done.stderr == ""
