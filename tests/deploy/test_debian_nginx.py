"""deploy/nginx.conf in Debian's own /etc/nginx, by the commands of docs/operating.md.

A mount and a network namespace give the test a copy of /etc/nginx, its own /var and port
80, so that no path and no port has to be replaced.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT, read_project_file

DEBIAN = Path("/etc/nginx")
NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")

# PORT 8000 is that of deploy/upstream.conf. All processes end with the namespace.
SCRIPT = """
set -e
ip link set lo up
for name in etc/nginx var/cache var/log/nginx var/lib/nginx run; do
    mount --bind "$FOLDER/$name" "/$name"
done
{commands}
nginx -T 2>/dev/null | grep -c '^# configuration file /etc/nginx/sites-enabled/'
PORT=8000 "$PYTHON" -m feedsvc serve >&2 &
curl -sf --retry 100 --retry-connrefused --retry-delay 0 -o /dev/null localhost:8000/readyz
for address in 127.0.0.1 '[::1]'; do
    curl -sgi -H 'Host: feeds.example' --compressed "$address/feeds/news.rss"
done
curl -s -o /dev/null -w '%{{http_code}}' localhost/feeds/news.rss
"""


def can_unshare() -> bool:
    command = [*NAMESPACES, "ip", "link"]
    return subprocess.run(command, capture_output=True).returncode == 0


def documented_commands() -> str:
    """Return the commands of the step, with a start in place of systemd's reload.

    Those that install packages and a certificate are left out.
    """
    text = read_project_file("docs/operating.md")
    step = re.split(r"\n#+ ", text.partition("\n### 4. nginx with TLS\n")[2])[0]
    commands = "\n".join(re.findall(r"^ {4}((?!apt|certbot).+)$", step, re.MULTILINE))
    assert commands.count("systemctl reload nginx") == 1
    return "SITE=feeds.example\n" + commands.replace("systemctl reload nginx", "nginx")


@pytest.mark.skipif(
    not (DEBIAN / "sites-enabled/default").exists() or not can_unshare(),
    reason="there is no nginx with Debian's default site, or no namespace",
)
def test_documented_commands_start_nginx_beside_debians_site(
    tmp_path: Path,
) -> None:
    shutil.copytree(DEBIAN, tmp_path / "etc/nginx", symlinks=True)
    for name in ("var/cache", "var/log/nginx", "var/lib/nginx", "run"):
        (tmp_path / name).mkdir(parents=True)
    done = subprocess.run(
        [
            *NAMESPACES,
            "bash",
            "-c",
            SCRIPT.format(commands=documented_commands()),
        ],
        cwd=ROOT,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHON": sys.executable,
            "FOLDER": str(tmp_path),
            "FEEDSVC_DATABASE_URL": f"sqlite:///{tmp_path}/feedsvc.db",
            "FEEDSVC_PUBLIC_URL": "http://feeds.example",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "syntax is ok" in done.stderr
    assert "[warn]" not in done.stderr
    sites, first, second = done.stdout.split("HTTP/1.1 200 OK\n")
    assert sites == "2\n"
    for response in (first, second):
        assert "Server: nginx\n" in response, "no version"
        assert "X-Request-ID: " in response
        assert "Strict-Transport-Security: max-age=31536000\n" in response
        assert "<link>http://feeds.example" in response
    assert second.endswith("404"), "other hosts get Debian's site"
    assert list((tmp_path / "var/cache/feedsvc").iterdir()), "it caches"
