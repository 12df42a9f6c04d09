"""Prometheus's and Alertmanager's files in deploy/, by their own tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.server import ROOT

DEPLOY = ROOT / "deploy"
UNIT_TESTS = sorted(Path(__file__).parent.glob("alerts*_test.yml"))

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool (Debian: prometheus) is missing"
)


def check(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_alarms_fire_when_they_should(path: Path) -> None:
    check("promtool", "test", "rules", path)


@needs_promtool
def test_prometheus_reads_its_files() -> None:
    check("promtool", "check", "config", DEPLOY / "prometheus.yml")


@pytest.mark.skipif(
    not shutil.which("amtool"),
    reason="amtool (Debian: prometheus-alertmanager) is missing",
)
def test_alertmanager_reads_its_file() -> None:
    check("amtool", "check-config", DEPLOY / "alertmanager.yml")


def test_each_alarm_fires_in_a_unit_test() -> None:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))["groups"]
    alarms = {rule["alert"] for group in groups for rule in group["rules"]}
    fired = set()
    for path in UNIT_TESTS:
        for test in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for case in test["promql_expr_test"]:
                fired.update(re.findall(r'alertname="(\w+)"', str(case)))
    assert alarms == fired


def test_prometheus_scrapes_the_documented_addresses() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    ports = {
        job["job_name"]: job["static_configs"][0]["targets"][0].rpartition(":")[2]
        for job in config["scrape_configs"]
    }
    operating = (ROOT / "docs/operating.md").read_text("utf-8")
    settings = (DEPLOY / "feedsvc.env").read_text("utf-8")
    unit = (DEPLOY / "feedsvc-deliver.service").read_text("utf-8")
    for text in (operating, settings):
        assert f"FEEDSVC_METRICS=127.0.0.1:{ports['feedsvc']}" in text
    assert f"--metrics 127.0.0.1:{ports['feedsvc-deliver']}" in unit
    assert len(set(ports.values())) == 3, "the node exporter has a port of its own"
