# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers under measurement, each started in a temporary folder on a free port of loopback and pinned to one core:
nginx with one worker, PostgreSQL 15 with TLS and a row policy, and Rowlock through board/host/run."""

import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

SERVER_CORE = "0"
PG_BIN = Path("/usr/lib/postgresql/15/bin")
STOP_SECONDS = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def make_certificate(folder):
    """A self-signed P-256 certificate, the type that Rowlock's own is of."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem", "-days", "2",
                    "-subj", "/CN=localhost"], check=True, capture_output=True)


class Server:
    """Started in the constructor of its subclass; stopped by its process id, never by name."""

    process = None
    pid = None

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Nginx(Server):
    """Answers every request with the same JSON text and headers that Rowlock answers a point read with."""

    def __init__(self, folder, body, headers):
        self.port = free_port()
        make_certificate(folder)
        lines = "".join(f'      add_header {name} "{value}" always;\n' for name, value in headers)
        text = body.replace("'", "")
        config = Path(folder) / "nginx.conf"
        config.write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; server_tokens off; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{self.port} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; ssl_session_cache off; ssl_session_tickets off;
    location / {{
{lines}      return 200 '{text}';
    }}
  }}
}}
""")
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, "nginx", "-p", folder, "-c", str(config)],
                                        stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.url = f"https://127.0.0.1:{self.port}/"
        wait_for_port(self.port)


class Postgres(Server):
    """As many rows of the same texts behind a row policy "published or owner", read by a role that the policy binds."""

    def __init__(self, folder, body, rows):
        self.rows = rows
        self.port = free_port()
        self.folder = Path(folder)
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        make_certificate(folder)
        if os.geteuid() == 0:
            for path in (self.folder, self.folder / "key.pem", self.folder / "cert.pem"):
                shutil.chown(path, "postgres")
        data = self.folder / "pg"
        self._run([str(PG_BIN / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync"])
        self.process = subprocess.Popen(self._as_user([
            "taskset", "-c", SERVER_CORE, str(PG_BIN / "postgres"), "-D", str(data), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "ssl=on",
            "-c", f"ssl_cert_file={folder}/cert.pem", "-c", f"ssl_key_file={folder}/key.pem",
            "-c", "max_connections=100"]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        wait_for_port(self.port)
        self._sql(f"""
            CREATE TABLE posts (id int PRIMARY KEY, title text, body text, status text, owner text);
            INSERT INTO posts SELECT i, '{body["title"]}', '{body["body"]}', '{body["status"]}', 'u' || i
              FROM generate_series(1, {rows}) i;
            CREATE ROLE reader LOGIN; GRANT SELECT ON posts TO reader;
            ALTER TABLE posts ENABLE ROW LEVEL SECURITY;
            CREATE POLICY seen ON posts USING (status = 'published' OR owner = current_user);
            VACUUM ANALYZE posts;""")

    def tls(self):
        out = subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "reader", "-d", "postgres", "-Atc",
                              "SELECT version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()"], check=True,
                             capture_output=True, text=True, env={**os.environ, "PGSSLMODE": "require"}).stdout
        return out.strip().replace("|", " ")

    def _as_user(self, command):
        return command if os.geteuid() != 0 else ["setpriv", "--reuid=postgres", "--regid=postgres",
                                                  "--clear-groups", *command]

    def _run(self, command):
        subprocess.run(self._as_user(command), check=True, capture_output=True)

    def _sql(self, script):
        for statement in script.split(";\n"):
            if statement.strip(" ;\n"):
                subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-q", "-c",
                                statement], check=True, capture_output=True)


class Rowlock(Server):
    """The appliance with one reactor (the build's configuration says so), all its processes on the server core."""

    def __init__(self, root, binary, data):
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, f"{root}/board/host/run", "--data", f"{data}/data", "--port", "0", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "ROWLOCK": str(binary)})
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the appliance did not start")
        self.info = json.loads(line)
        self.url = self.info["url"]
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))
        self.pid = self.process.pid
        self.tls = ssl.create_default_context(cafile=self.info["caFile"])

    def seconds_since_start(self):
        return time.monotonic() - self.started

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=60)

    def call(self, method, path, key, body=None, connection=None):
        """One request; answers (status, headers, parsed body)."""
        peer = connection or self.connection()
        peer.request(method, path, json.dumps(body) if body is not None else None,
                     {"X-API-Key": key, **({"Content-Type": "application/json"} if body is not None else {})})
        answer = peer.getresponse()
        return answer.status, answer.getheaders(), json.loads(answer.read())
