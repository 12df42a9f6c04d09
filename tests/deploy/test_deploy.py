"""The files of deploy/: sound by their own schemas and programs, and about this service. None of them is run here."""

from __future__ import annotations

import math
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

from config import Config, read_settings_file, setting_names
from feedsvc import __version__
from feedsvc.feed_query import FORMATS, PARAMETERS
from tests.formats.golden import assert_generated
from tests.postgres import Cluster
from tests.server import ROOT

DEPLOY = ROOT / "deploy"
UNITS = ("feedsvc.service", "feedsvc-deliver.service")
DELIVER = ["python", "-m", "feedsvc", "deliver"]
DOCUMENTS = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")))
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
    "document", DOCUMENTS, ids=lambda document: document["metadata"]["name"]
)
def test_kubernetes(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(
        document, kubernetes_validate.latest_version(), strict=True
    )


def test_kubernetes_names_and_ports_agree() -> None:
    resources = {
        document["kind"]: document
        for document in DOCUMENTS
        if document["metadata"]["name"] == "feedsvc"
    }
    for document in DOCUMENTS:
        if document["kind"] == "Deployment":
            labels = document["spec"]["template"]["metadata"]["labels"]
            assert (
                document["spec"]["selector"]["matchLabels"]
                == labels
                == document["metadata"]["labels"]
            )
    pods = resources["Deployment"]["spec"]["template"]
    for kind in ("Service", "PodDisruptionBudget"):
        selector = resources[kind]["spec"]["selector"]
        assert (
            selector.get("matchLabels", selector).items()
            <= pods["metadata"]["labels"].items()
        )
    ports = {
        port["name"]: port["containerPort"]
        for port in next(containers_of("feedsvc"))["ports"]
    }
    settings = resources["ConfigMap"]["data"]
    assert ports["http"] == Config.from_env({}).port
    assert Config.from_env(settings).workers == 2
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
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    users = set(re.findall(r"--[ug]id (\d+)", dockerfile))
    users.update(
        str(document["spec"]["template"]["spec"]["securityContext"]["runAsUser"])
        for document in DOCUMENTS
        if "template" in document.get("spec", {})
    )
    assert users == {"990"}


def containers_of(name: str) -> Iterator[dict[str, Any]]:
    return (container for container in containers() if container["name"] == name)


def test_compose() -> None:
    # Dumped again, because compose_spec's YAML has no merge keys.
    compose_spec.PyCompose.from_yaml(yaml.safe_dump(COMPOSE)).validate()
    assert set(COMPOSE["services"]) == {"feedsvc", "deliver", "nginx", "db"}
    for service in COMPOSE["services"].values():
        assert set(service) <= set(compose_spec.models.Service.model_fields)
        for name in service.get("depends_on", {}):
            assert "healthcheck" in COMPOSE["services"][name]


def test_nginx_limits_polls_of_every_format_but_pages() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text("utf-8")
    (pattern,) = re.findall(r'"~(\^GET - [^"]+)" "\$binary_remote_addr ', nginx)
    for name, form in FORMATS.items():
        is_limited = re.search(pattern, f"GET - /feeds/news.{name}")
        assert bool(is_limited) == (not form.is_page), f"{name} in deploy/nginx.conf"


@pytest.mark.golden
def test_nginx_forwards_the_parameters_of_feeds() -> None:
    maps = "".join(
        f'map $arg_{name} $feed_{name} {{ default "&{name}=$arg_{name}"; "" ""; }}\n'
        for name in PARAMETERS
    )
    arguments = "".join(f"$feed_{name}" for name in PARAMETERS)
    assert_generated(
        DEPLOY / "nginx.conf",
        {r"(?:map \$arg_.*\n)+": maps, r'"\$feed_limit.*"': f'"{arguments}"'},
    )


def test_nginx_and_the_service_of_compose_find_each_other() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text("utf-8")
    upstream = (DEPLOY / "upstream-compose.conf").read_text("utf-8")
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
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
    assert "default feedsvc:8000;" in upstream
    assert "HOST=0.0.0.0 PORT=8000" in dockerfile
    assert "listen 80 " in nginx
    assert services["nginx"]["ports"] == ["80:80"]
    assert "ports" not in services["feedsvc"]


@pytest.mark.parametrize("password", ["a@b/c", "100%25:?#[]", "p'\"\\ ü"])
def test_password_of_compose_needs_no_escape(cluster: Cluster, password: str) -> None:
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
                "FEEDSVC_DATABASE_URL": environment["FEEDSVC_DATABASE_URL"].replace(
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
    assert (done.returncode, done.stderr) == (
        1,
        "Error: The database is empty: run `.venv/bin/feedsvc db upgrade`.\n",
    )


USABLE = 100 - 3
"""PostgreSQL's max_connections by default, less those that it reserves for superusers."""


def maximum_pods(deployment: dict[str, Any]) -> int:
    """Return the number of pods during a rolling update."""
    replicas: int = deployment["replicas"]
    update = deployment.get("strategy", {}).get("rollingUpdate", {})
    surge = update.get("maxSurge", "25%")
    if isinstance(surge, str):
        surge = math.ceil(replicas * int(surge.rstrip("%")) / 100)
    return replicas + int(surge)


def test_connections_of_kubernetes_fit_postgresql() -> None:
    """Rolling updates of both Deployments count, and a worker of each pod that is replaced."""
    settings = next(
        document for document in DOCUMENTS if document["kind"] == "ConfigMap"
    )["data"]
    config = Config.from_env(settings)
    processes = 0
    for document in DOCUMENTS:
        if document["kind"] == "Job":
            processes += 1
        elif document["kind"] == "Deployment":
            is_service = document["metadata"]["name"] == "feedsvc"
            processes_of_pod = config.workers + 1 if is_service else 1
            processes += maximum_pods(document["spec"]) * processes_of_pod
    assert processes == 16
    assert processes * config.database_connections <= USABLE


def test_connections_of_the_units_and_of_compose_fit_postgresql() -> None:
    """Two workers, one that replaces another, and deliver."""
    compose = COMPOSE["services"]["feedsvc"]["environment"]
    own = {name: value for name, value in compose.items() if "${" not in value}
    for config in (Config.from_env({}), Config.from_env(own)):
        assert (config.workers + 1 + 1) * config.database_connections <= USABLE
    for name in UNITS:
        unit = (DEPLOY / name).read_text("utf-8")
        assert "WEB_CONCURRENCY" not in unit
        assert "DATABASE_CONNECTIONS" not in unit


def test_only_settings_that_there_are() -> None:
    for name in ("kubernetes.yaml", "compose.yaml", "feedsvc.env"):
        named = set(
            re.findall(r"\bFEEDSVC_[A-Z_]+\b", (DEPLOY / name).read_text("utf-8"))
        )
        assert named
        assert named <= setting_names(), name


def test_settings_file_replaces_the_defaults_of_hanoi() -> None:
    settings = read_settings_file(str(DEPLOY / "feedsvc.env"))
    for name in ("TITLE", "DESCRIPTION", "LANGUAGE", "TIMEZONE", "COLOR"):
        assert settings[f"FEEDSVC_SITE_{name}"], name
    assert "Hà Nội" not in "".join(settings.values())


def test_systemd_unit_starts_the_command_of_make_serve() -> None:
    unit = (DEPLOY / "feedsvc.service").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "gunicorn -c python:feedsvc.server.gunicorn_conf wsgi:app\n" in unit
    assert "gunicorn -c python:feedsvc.server.gunicorn_conf wsgi:app\n" in makefile


def test_deliver_runs_everywhere_where_the_service_does() -> None:
    assert COMPOSE["services"]["deliver"]["command"] == DELIVER
    assert (
        COMPOSE["services"]["deliver"]["environment"]
        == COMPOSE["services"]["feedsvc"]["environment"]
    )
    (deliver,), (service,) = containers_of("deliver"), containers_of("feedsvc")
    assert deliver["args"] == DELIVER
    for name in ("image", "env", "envFrom", "securityContext"):
        assert deliver[name] == service[name]
    units = [(DEPLOY / name).read_text("utf-8") for name in UNITS]
    assert f"ExecStart=/opt/feedsvc/.venv/bin/{' '.join(DELIVER)}\n" in units[1]
    for name in (
        "User",
        "Environment",
        "EnvironmentFile",
        "WorkingDirectory",
        "StateDirectory",
    ):
        line = re.compile(f"^{name}=.*$", re.MULTILINE)
        assert line.findall(units[0]) == line.findall(units[1]) != []
    sections = (
        unit.partition("CapabilityBoundingSet=")[2].partition("\n\n")[0].strip()
        for unit in units
    )
    (hardening,) = set(sections)
    assert hardening


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_unit_is_valid(tmp_path: Path, name: str) -> None:
    here = tmp_path / name
    for other in UNITS:  # each may name another
        unit = (DEPLOY / other).read_text("utf-8")
        (tmp_path / other).write_text(
            re.sub(r"(ExecStart=)/opt/feedsvc/\S+", r"\1/bin/true", unit)
        )
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
