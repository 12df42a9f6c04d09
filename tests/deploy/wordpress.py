"""A real WordPress with MariaDB and PHP's web server, all of them processes of the test."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.server import ROOT, free_port
from tests.waiting import wait_until

CODE = Path("/usr/share/wordpress")
"""The folder of Debian's package."""

_PROGRAMS = {
    "php": "php-cli",
    "mariadbd": "mariadb-server-core",
    "mariadb-admin": "mariadb-client",
}
_PHP_MODULES = {"mysqli": "php-mysql", "curl": "php-curl"}

_CONFIG = """<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:%(socket)s');
define('DB_CHARSET', 'utf8mb4');
define('WP_HOME', '%(url)s');
define('WP_SITEURL', '%(url)s');
define('WP_ENVIRONMENT_TYPE', 'local'); // application passwords over http
define('WP_HTTP_BLOCK_EXTERNAL', true); // no updates and no oEmbed, but this machine
define('WP_ACCESSIBLE_HOSTS', '127.0.0.1');
define('WP_DEBUG', true);
define('WP_DEBUG_DISPLAY', false);
define('WP_DEBUG_LOG', '%(log)s');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
    define("{$name}_KEY", $name);
    define("{$name}_SALT", $name);
}
$table_prefix = 'wp_';
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""

_INSTALL = """
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/plugin.php';
add_filter('pre_wp_mail', '__return_true');
wp_install('Cổng', 'admin', 'admin@portal.example', true, '', 'password');
wp_set_current_user(1);
update_option('permalink_structure', '/%year%/%postname%/');
update_option('timezone_string', 'Asia/Ho_Chi_Minh');
wp_delete_post(1, true);
activate_plugin('feedsvc/feedsvc.php');
[$password] = WP_Application_Passwords::create_new_application_password(
    1, ['name' => 'test']);
return $password;
"""

_SECRET = secrets.token_hex()

_TEST_PLUGIN = """<?php
// As a command would run the code, but without a start of PHP, which takes most of the time.
add_action('wp_loaded', function () {
    if (($_GET['run'] ?? '') !== 'SECRET') {
        return;
    }
    $request = json_decode(file_get_contents('php://input'), true);
    wp_set_current_user(1);
    $run = function ($code, $values) {
        extract($values);
        return eval($code);
    };
    ob_start();
    $result = $run($request['code'], $request['values']);
    $output = ob_get_clean();
    echo json_encode($result ?? $output);
    exit;
});
add_shortcode('broken', function () { throw new Exception('Broken shortcode'); });
add_filter('feedsvc_entry', function ($entry, $post) {
    if ($post->post_title === 'Refused') {
        $entry['language'] = 'no language';
    }
    return $post->post_title === 'Left out' ? null : $entry;
}, 10, 2);
"""


def missing_packages() -> str:
    """Return the Debian packages that are not installed, or an empty string."""
    packages = [] if CODE.exists() else ["wordpress"]
    packages += [_PROGRAMS[name] for name in _PROGRAMS if not shutil.which(name)]
    if shutil.which("php"):
        listed = subprocess.run(["php", "-m"], capture_output=True, text=True).stdout
        modules = listed.split()
        packages += [_PHP_MODULES[name] for name in _PHP_MODULES if name not in modules]
    return " ".join(packages)


class WordPress:
    """One WordPress with the plugin activated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "wordpress"
        self.log = folder / "debug.log"
        self.socket = folder / "mariadb.sock"
        self.url = f"http://127.0.0.1:{free_port()}"
        self._browsers: dict[str, requests.Session] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Install and start everything."""
        self._start_database()
        shutil.copytree(CODE, self.root, ignore=_linked, symlinks=True)
        for name in ("js", "css", "fonts", "ID3", "certificates"):
            (self.root / "wp-includes" / name).symlink_to(CODE / "wp-includes" / name)
        plugins = self.root / "wp-content/plugins"
        plugins.mkdir(parents=True)
        (plugins / "feedsvc").symlink_to(ROOT / "deploy/wordpress")
        themes = CODE / "wp-content/themes"
        (self.root / "wp-content/themes").symlink_to(themes)
        (self.root / "wp-content/mu-plugins").mkdir()
        (self.root / "wp-content/mu-plugins/tests.php").write_text(
            _TEST_PLUGIN.replace("SECRET", _SECRET)
        )
        values = {"socket": self.socket, "url": self.url, "log": self.log}
        (self.root / "wp-config.php").write_text(_CONFIG % values)
        self._start_web_server()
        password = self.command_line(_INSTALL, "define('WP_INSTALLING', true);")
        self.session = requests.Session()
        self.session.auth = ("admin", password)

    def stop(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(30)

    def php(self, code: str, **values: Any) -> Any:
        """Run PHP within WordPress as the administrator; return what it returns.

        :param values: variables.
        """
        response = requests.post(
            f"{self.url}/?run={_SECRET}",
            json={"code": code, "values": values},
            timeout=60,
        )
        assert response.ok, response.text
        return response.json()

    def command_line(self, code: str, before: str = "") -> Any:
        """Run PHP in a process of its own.

        :param before: code that runs before WordPress is loaded.
        """
        script = (
            f"{before} $_SERVER['HTTP_HOST'] = '{self.url.removeprefix('http://')}';"
            f"require '{self.root}/wp-load.php';"
            f"echo json_encode((function () {{ {code} }})());"
        )
        done = subprocess.run(
            ["php", "-d", "display_errors=stderr", "-r", script],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout
        return json.loads(done.stdout)

    def rest(self, method: str, path: str, **document: Any) -> dict[str, Any]:
        """Call the REST API, as the block editor does; return the document."""
        response = self.session.request(
            method, f"{self.url}/?rest_route=/wp/v2{path}", json=document, timeout=60
        )
        assert response.ok, response.text
        body: dict[str, Any] = response.json()
        return body

    def save(self, path: str = "/posts", **document: Any) -> int:
        """Create or update a post by the REST API, published unless told otherwise."""
        status = {} if path != "/posts" else {"status": "publish"}
        return int(self.rest("POST", path, **{**status, **document})["id"])

    def visit(self) -> None:
        """Be a visitor: WordPress runs WP-Cron if something is due."""
        requests.get(f"{self.url}/wp-cron.php", timeout=60)

    def sign_in(self, user: str = "admin") -> requests.Session:
        """Return a session with the user's cookies, for wp-admin."""
        if user not in self._browsers:
            browser = self._browsers[user] = requests.Session()
            form = {"log": user, "pwd": "password", "testcookie": "1"}
            browser.cookies.set("wordpress_test_cookie", "WP Cookie check")
            browser.post(f"{self.url}/wp-login.php", data=form, timeout=60)
        return self._browsers[user]

    def _start_database(self) -> None:
        data = self.folder / "mariadb"
        options = ["--no-defaults", f"--datadir={data}", "--innodb-log-file-size=8M"]
        if os.getuid() == 0:
            options.append("--user=root")
        install = ["mariadb-install-db", *options, "--skip-test-db"]
        install.append("--auth-root-authentication-method=normal")
        subprocess.run(install, check=True, capture_output=True)
        address = ["--skip-networking", f"--socket={self.socket}"]
        memory = ["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"]
        self._spawn(["mariadbd", *options, *address, *memory])
        client = ["mariadb-admin", "--no-defaults", "-uroot", f"--socket={self.socket}"]

        def create_database() -> bool:
            command = [*client, "create", "wordpress"]
            return subprocess.run(command, capture_output=True).returncode == 0

        wait_until(create_database, 60)

    def _start_web_server(self) -> None:
        address = self.url.removeprefix("http://")
        command = ["php", "-d", "opcache.enable_cli=1"]
        # WordPress does not require mbstring, and replaces only mb_substr and mb_strlen.
        command += [
            "-d",
            "disable_functions=mb_strtolower,mb_strtoupper",
            "-S",
            address,
        ]
        # WordPress calls itself to run WP-Cron.
        environ = {**os.environ, "PHP_CLI_SERVER_WORKERS": "4"}
        self._spawn([*command, "-t", str(self.root)], env=environ)

    def _spawn(self, command: list[str], **options: Any) -> None:
        with (self.folder / f"{command[0]}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        self._processes.append(process)


def _linked(folder: str, names: list[str]) -> set[str]:
    """Return the files that a symbolic link replaces, or that this test replaces."""
    path = Path(folder).relative_to(CODE)
    if path == Path():
        return {"wp-config.php", "wp-content", ".htaccess"}
    if path == Path("wp-includes"):
        return {"js", "css", "fonts", "ID3", "certificates"}
    return set()


def nonce(html: str, name: str) -> str:
    """Return a nonce of an administration page."""
    match = re.search(rf'name="{name}"[^>]*value="([0-9a-f]+)"', html)
    assert match, name
    return match[1]
