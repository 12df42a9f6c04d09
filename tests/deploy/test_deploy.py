"""The files of deploy/ are valid, and agree with each other and with the service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
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
DOCUMENTS = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


RESOURCES = {
    resource["kind"]: resource
    for resource in DOCUMENTS
    if resource["metadata"]["name"] == "feedsvc"
}
"""The resources of Kubernetes that are named like the service, by kind."""

COMMAND = re.compile(r'gunicorn(", "| )-c\1python:feedsvc.gunicorn_conf("]|\n)')


def pods() -> Iterator[dict[str, Any]]:
    """Yield what each Deployment and Job starts."""
    for document in DOCUMENTS:
        if "template" in document.get("spec", {}):
            yield document["spec"]["template"]["spec"]


def containers() -> Iterator[dict[str, Any]]:
    for pod in pods():
        yield from pod["containers"]


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda document: document["metadata"]["name"]
)
def test_kubernetes_resource_is_valid(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(
        document, kubernetes_validate.latest_version(), strict=True
    )


def test_kubernetes_names_and_ports_agree() -> None:
    deployment = RESOURCES["Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert deployment["metadata"]["labels"] == labels
    for kind in ("Service", "PodDisruptionBudget"):
        selector = RESOURCES[kind]["spec"]["selector"]
        assert selector.get("matchLabels", selector).items() <= labels.items()
    settings = RESOURCES["ConfigMap"]["data"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["http"] == read_settings(settings).port
    for container in containers():
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_image_has_the_same_version_and_user_everywhere() -> None:
    (job,) = (document for document in DOCUMENTS if document["kind"] == "Job")
    suffix = __version__.replace(".", "-")
    assert job["metadata"]["name"] == f"feedsvc-migrate-{suffix}"
    assert {each["image"] for each in containers()} == {f"feedsvc:{__version__}"}
    operating = (ROOT / "docs/operating.md").read_text("utf-8")
    assert f" feedsvc:{__version__}\n" in operating
    assert f"`feedsvc, version {__version__}`" in operating
    users = set(re.findall(r"--[ug]id (\d+)", DOCKERFILE))
    users |= {str(pod["securityContext"]["runAsUser"]) for pod in pods()}
    assert users == {"990"}


def pins(text: str) -> list[str]:
    """Return the requirements with one spelling of their names."""
    found = re.findall(r"^\S+==\S+", text, re.M)
    return sorted(pin.lower().replace("_", "-") for pin in found)


def test_image_has_the_pinned_versions_with_hashes() -> None:
    hashed = (DEPLOY / "requirements.txt").read_text("utf-8")
    assert pins(hashed) == pins((ROOT / "requirements.txt").read_text("utf-8"))
    blocks = re.split(r"^(?=\S+==)", hashed, flags=re.M)[1:]
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    assert "COPY deploy/requirements.txt ." in DOCKERFILE
    assert "--require-hashes -r requirements.txt" in DOCKERFILE


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
            r'(?<=")\$feed_limit.*(?=\$archive")': arguments,
        },
    )


def test_nginx_and_the_service_of_compose_find_each_other() -> None:
    services = COMPOSE["services"]
    # All are in the default network of the project.
    for each in services.values():
        assert not {"network_mode", "networks"} & set(each)
    volumes = services["nginx"]["volumes"]
    files = dict(volume.removesuffix(":ro").split(":") for volume in volumes)
    assert files == {
        "./nginx.conf": "/etc/nginx/conf.d/default.conf",  # in place of the image's
        "./upstream-compose.conf": "/etc/nginx/conf.d/upstream.conf",
    }
    upstream = (DEPLOY / "upstream-compose.conf").read_text("utf-8")
    assert "default feedsvc:8000;" in upstream
    assert "HOST=0.0.0.0 PORT=8000" in DOCKERFILE
    assert "listen 80 " in (DEPLOY / "nginx.conf").read_text("utf-8")
    assert services["nginx"]["ports"] == ["80:80"]
    assert "ports" not in services["feedsvc"]


def test_password_of_compose_needs_no_escape(cluster: Cluster) -> None:
    password = "a@b/c100%25:?#[]p'\"\\ ü"
    environment = COMPOSE["services"]["feedsvc"]["environment"]
    database = COMPOSE["services"]["db"]["environment"]
    assert environment["PGPASSWORD"] == database["POSTGRES_PASSWORD"]
    address = f"@127.0.0.1:{cluster.port}/postgres"
    url = environment["FEEDSVC_DATABASE_URL"].replace("@db/feedsvc", address)
    quoted = password.replace("'", "''")
    cluster.run(f"CREATE ROLE feedsvc LOGIN PASSWORD '{quoted}'")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "feedsvc", "token", "list"],
            cwd=ROOT,
            env={**os.environ, "FEEDSVC_DATABASE_URL": url, "PGPASSWORD": password},
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
    deployment = RESOURCES["Deployment"]["spec"]
    surge = deployment["strategy"]["rollingUpdate"]["maxSurge"]
    workers = int(RESOURCES["ConfigMap"]["data"]["WEB_CONCURRENCY"])
    connections = (deployment["replicas"] + surge) * (workers + 1) * 20
    assert connections <= maximum - 3


def test_files_name_only_existing_settings() -> None:
    for name in ("kubernetes.yaml", "compose.yaml", "feedsvc.env"):
        named = set(
            re.findall(r"\bFEEDSVC_[A-Z_]+\b", (DEPLOY / name).read_text("utf-8"))
        )
        assert named
        assert named <= setting_names(), name


def test_settings_file_replaces_the_defaults_of_hanoi() -> None:
    settings = dotenv_values(DEPLOY / "feedsvc.env")
    for name in ("TITLE", "DESCRIPTION", "LANGUAGE", "TIMEZONE", "COLOR"):
        assert settings[f"FEEDSVC_SITE_{name}"], name
    assert "Hà Nội" not in str(settings)


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile", "deploy/feedsvc.service"])
def test_one_command_starts_the_service(name: str) -> None:
    assert COMMAND.search((ROOT / name).read_text("utf-8"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_systemd_unit_is_valid(tmp_path: Path) -> None:
    here = tmp_path / "feedsvc.service"
    unit = (DEPLOY / "feedsvc.service").read_text("utf-8")
    here.write_text(re.sub(r"(ExecStart=)/opt/feedsvc/\S+", r"\1/bin/true", unit))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(here)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(here)],
        capture_output=True,
        text=True,
    )
    assert rated.returncode == 0, rated.stdout[-500:]
