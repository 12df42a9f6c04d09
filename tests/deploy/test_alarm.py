"""feedsvc-alarm.sh tells each trouble once, and once when it is over."""

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.extensions.websub.hub import make_certificate
from tests.integration.tmpfs import Disk, small_disk
from tests.programs import serving
from tests.server import ROOT, read_project_file

pytestmark = pytest.mark.skipif(
    not shutil.which("curl") or not shutil.which("openssl"),
    reason="curl or openssl is not installed",
)

WELL = "All is well."


class Ready(ThreadingHTTPServer):
    """A server that answers all requests with one status, or closes the connection."""

    status = 200


class Handler(BaseHTTPRequestHandler):
    server: Ready

    def do_GET(self) -> None:
        assert self.path == "/readyz"
        if self.server.status:
            self.send_response(self.server.status)
            self.end_headers()


class Ready6(Ready):
    address_family = socket.AF_INET6


class Machine:
    """A machine that the script looks at, on which all is well."""

    def __init__(self, folder: Path, server: Ready, url: str) -> None:
        self.folder, self.server, self.url = folder, server, url
        self.backups, self.data = folder / "feedsvc-backup", folder / "data"
        self.state = folder / "run"
        self.programs = folder / "bin"
        for each in (self.backups, self.data, self.state, self.programs):
            each.mkdir()
        self.backup = self.backups / "feedsvc-2026-12-02T1400"
        self.backup.write_text("x")
        self.told = folder / "told"
        self.within: tuple[str, ...] = ()
        self.environ = {
            **os.environ,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "URL": url,
            "BACKUPS": str(self.backups),
            "DATA": str(self.data),
            "TELL": f"tee -a {self.told}",
            # As systemd sets it.
            "RUNTIME_DIRECTORY": str(self.state),
        }

    def replace_program(self, name: str, script: str) -> None:
        """Put a script in place of a program."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, **changes: str) -> list[str]:
        """Run the script; return the lines that the operator gets."""
        self.told.write_text("")
        subprocess.run(
            [*self.within, ROOT / "deploy/feedsvc-alarm.sh"],
            env={**self.environ, **changes},
            capture_output=True,
            timeout=60,
        )
        return self.told.read_text().splitlines()

    def check_once(self, lines: list[str]) -> None:
        """Check that the operator gets some lines, and the next time none."""
        assert (self.run(), self.run()) == (lines, [])


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    server = Ready(("127.0.0.1", 0), Handler)
    with serving(server) as url:
        yield Machine(tmp_path, server, url)


Change = Callable[[Machine], object]


def refuse(machine: Machine) -> None:
    machine.server.status = 503


def accept(machine: Machine) -> None:
    machine.server.status = 200


def grow_old(machine: Machine) -> None:
    os.utime(machine.backup, (0, 0))


def back_up(machine: Machine) -> None:
    machine.backups.mkdir(exist_ok=True)
    machine.backup.write_text("x")


def replace_df(machine: Machine, percent: int) -> None:
    machine.replace_program(
        "df", f'[ -d "$2" ] && echo name && echo x 1 1 0 {percent}% /'
    )


def fill(machine: Machine) -> None:
    replace_df(machine, 90)


def clear(machine: Machine) -> None:
    replace_df(machine, 89)


NO_ANSWER = "{0.url}/readyz does not answer with 200: systemctl status feedsvc."
NO_BACKUP = "There is no backup of the last two hours in {0.backups}: journalctl -u feedsvc-backup."
FULL = "The file system of {0.data} is at least 90 % full."


@pytest.mark.parametrize(
    ("break_", "mend", "message"),
    [
        pytest.param(refuse, accept, NO_ANSWER, id="status"),
        pytest.param(grow_old, back_up, NO_BACKUP, id="old backup"),
        pytest.param(
            lambda machine: machine.backup.unlink(), back_up, NO_BACKUP, id="no backup"
        ),
        pytest.param(
            lambda machine: machine.backup.write_text(""),
            back_up,
            NO_BACKUP,
            id="empty backup",
        ),
        pytest.param(
            lambda machine: machine.backup.rename(machine.backups / "new"),
            back_up,
            NO_BACKUP,
            id="unfinished backup",
        ),
        pytest.param(
            lambda machine: shutil.rmtree(machine.backups),
            back_up,
            "There is no folder {0.backups}.",
            id="no folder of backups",
        ),
        pytest.param(
            lambda machine: machine.data.rmdir(),
            lambda machine: machine.data.mkdir(),
            "There is no folder {0.data}.",
            id="no folder of data",
        ),
        pytest.param(fill, clear, FULL, id="full disk"),
    ],
)
def test_trouble_is_told_once_and_its_end_once(
    machine: Machine, break_: Change, mend: Change, message: str
) -> None:
    # The disk of the tests may be full.
    clear(machine)
    trouble = message.format(machine)
    # The first message since the machine was started.
    machine.check_once([WELL])
    break_(machine)
    machine.check_once([trouble])
    mend(machine)
    machine.check_once([f"Over: {trouble}", WELL])


@pytest.fixture
def tls(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Start a machine with TLS on a port of its own, at the address in the parameter."""
    address = getattr(request, "param", "127.0.0.1")
    pem = tmp_path / "server.pem"
    make_certificate(pem, f"IP:{address}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    try:
        server = (Ready6 if ":" in address else Ready)((address, 0), Handler)
    except OSError as error:
        pytest.skip(f"no server can listen on {address}: {error}")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    host = f"[{address}]" if ":" in address else address
    with serving(server):
        machine = Machine(tmp_path, server, f"https://{host}:{server.server_port}")
        machine.environ["CURL_CA_BUNDLE"] = str(pem)
        clear(machine)
        yield machine


@pytest.mark.parametrize("tls", ["127.0.0.1", "::1"], indirect=True)
def test_certificate_that_ends_within_two_weeks_is_told(
    tls: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls.check_once([WELL])
    pem = tls.folder / "server.pem"
    address = tls.url.removeprefix("https://")
    names = f"IP:{tls.server.server_address[0]!s}"
    make_certificate(pem, names, days=13)
    # Only new connections have it.
    tls.server.socket.context.load_cert_chain(pem)  # type: ignore[attr-defined]
    trouble = f"The certificate of {address} cannot be read, or ends within two weeks: certbot renew."
    tls.check_once([trouble])
    make_certificate(pem, names, days=15)
    tls.server.socket.context.load_cert_chain(pem)  # type: ignore[attr-defined]
    tls.check_once([f"Over: {trouble}", WELL])


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://feeds.example", "feeds.example:443"),
        ("https://feeds.example/", "feeds.example:443"),
        ("https://feeds.example:8443", "feeds.example:8443"),
        ("https://feeds.example:8443/a:1/", "feeds.example:8443"),
        ("https://feeds.example/a:1", "feeds.example:443"),
        ("https://[2001:db8::1]", "[2001:db8::1]:443"),
        ("https://[2001:db8::1]/", "[2001:db8::1]:443"),
        ("https://[2001:db8::1]:8443/", "[2001:db8::1]:8443"),
        ("http://feeds.example", None),
        ("http://feeds.example:443", None),
        ("http://[2001:db8::1]:8000/https://x", None),
    ],
)
def test_certificate_is_that_of_the_host_and_port_of_the_url(
    machine: Machine, url: str, server: str | None
) -> None:
    machine.replace_program("curl", "printf 200")
    asked = machine.folder / "asked"
    asked.touch()
    machine.replace_program("openssl", f'echo "$3 $4" >>{asked}; [ $1 = x509 ]')
    clear(machine)
    machine.run(URL=url)
    lines = asked.read_text().splitlines()
    # The other line is of `openssl x509`.
    connected = [line.split()[0] for line in lines if ":" in line]
    assert connected == ([server] if server else [])
    assert bool(lines) == bool(server)


def test_only_what_is_new_or_over_is_told(machine: Machine) -> None:
    clear(machine)
    machine.run()
    no_answer, no_backup = (each.format(machine) for each in (NO_ANSWER, NO_BACKUP))
    refuse(machine)
    machine.check_once([no_answer])
    grow_old(machine)
    machine.check_once([no_backup])
    accept(machine)
    machine.check_once([f"Over: {no_answer}"])
    back_up(machine)
    machine.check_once([f"Over: {no_backup}", WELL])


def test_trouble_that_changes_its_status_is_told_once(machine: Machine) -> None:
    clear(machine)
    refuse(machine)
    machine.check_once([NO_ANSWER.format(machine)])
    for status in (502, 0, 404, 301):
        machine.server.status = status
        assert machine.run() == []


def test_message_that_cannot_be_sent_is_sent_the_next_time(machine: Machine) -> None:
    clear(machine)
    machine.run()
    refuse(machine)
    assert machine.run(TELL="false") == []
    assert machine.run(TELL="/nonexistent") == []
    machine.check_once([NO_ANSWER.format(machine)])
    accept(machine)
    assert machine.run(TELL="false") == []
    machine.check_once([f"Over: {NO_ANSWER}".format(machine), WELL])


def test_start_of_the_machine_is_told_with_what_is_wrong(machine: Machine) -> None:
    clear(machine)
    refuse(machine)
    no_answer = NO_ANSWER.format(machine)
    machine.check_once([no_answer])
    (machine.state / "alarm").unlink()
    machine.check_once([no_answer])
    accept(machine)
    (machine.state / "alarm").unlink()
    machine.check_once([WELL])


@pytest.fixture
def disk(machine: Machine) -> Iterator[Disk]:
    with small_disk(machine.folder / "disk") as disk:
        machine.environ["DATA"] = str(disk.path)
        machine.within = disk.within
        yield disk


def test_full_disk_is_told_once_and_its_end_once(machine: Machine, disk: Disk) -> None:
    machine.check_once([WELL])
    disk.fill(0)
    full = f"The file system of {disk.path} is at least 90 % full."
    machine.check_once([full])
    disk.free()
    machine.check_once([f"Over: {full}", WELL])


def test_state_on_a_full_disk_is_named_and_the_end_told_once(
    machine: Machine, disk: Disk
) -> None:
    state = disk.path / "alarm"
    machine.environ["STATE"] = str(state)
    machine.check_once([WELL])
    disk.fill(0)
    full = f"The file system of {disk.path} is at least 90 % full."
    again = f"{state} cannot be written: this message comes again."
    for _ in range(2):
        assert machine.run() == [full, again]
        # The old state took a page.
        disk.fill(0)
    disk.free()
    machine.check_once([WELL])


def test_state_without_its_directory_is_named(machine: Machine) -> None:
    clear(machine)
    machine.environ["STATE"] = f"{machine.folder}/away/alarm"
    again = f"{machine.environ['STATE']} cannot be written: this message comes again."
    assert [machine.run() for _ in range(2)] == [[WELL, again]] * 2
    (machine.folder / "away").mkdir()
    machine.check_once([WELL])


def test_systemd_keeps_the_state_in_memory_between_runs() -> None:
    unit = read_project_file("deploy/feedsvc-alarm.service")
    assert "\nRuntimeDirectory=feedsvc-alarm\nRuntimeDirectoryPreserve=yes\n" in unit
