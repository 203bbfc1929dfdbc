# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers under measurement, each started in a temporary folder on a free port of loopback and pinned to one core:
nginx with one worker, PostgreSQL 15 with TLS and a row policy, and Rowlock through board/host/run."""

import ctypes
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
START_SECONDS = 20
STOP_SECONDS = 20
PORT_ATTEMPTS = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(pid, port):
    """Whether that process itself listens there: to connect would not tell it from another one."""
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    wanted = {f"socket:[{part[9]}]" for part in sockets if part[1].endswith(f":{port:04X}") and part[3] == "0A"}
    try:
        return any(os.readlink(fd) in wanted for fd in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it, or one of its files, has just gone
        return False


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_on_free_port(start):
    """start(port) answers a process that is to listen there. A port that is free now may be another's a moment later,
    so a process that does not come up is started again on the next one. Answers the process and its port."""
    for _ in range(PORT_ATTEMPTS):
        port = free_port()
        process = start(port)
        until = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < until:
            if listens(process.pid, port):
                return process, port
            time.sleep(0.05)
        end(process)
    raise RuntimeError(f"{process.args} came up on none of {PORT_ATTEMPTS} ports")


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
        if self.process is not None:
            end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Nginx(Server):
    """Answers every request with the same JSON text and headers that Rowlock answers a point read with."""

    def __init__(self, folder, body, headers):
        make_certificate(folder)
        lines = "".join(f'      add_header {name} "{value}" always;\n' for name, value in headers)
        text = body.replace("'", "")
        config = Path(folder) / "nginx.conf"

        def start(port):
            config.write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; server_tokens off; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; ssl_session_cache off; ssl_session_tickets off;
    location / {{
{lines}      return 200 '{text}';
    }}
  }}
}}
""")
            return subprocess.Popen(["taskset", "-c", SERVER_CORE, "nginx", "-p", folder, "-c", str(config)],
                                    stderr=subprocess.DEVNULL)

        self.process, self.port = start_on_free_port(start)
        self.pid = self.process.pid
        self.url = f"https://127.0.0.1:{self.port}/"


class Postgres(Server):
    """As many rows of the same texts behind a row policy "published or owner", read by a role that the policy binds."""

    def __init__(self, folder, body, rows):
        self.rows = rows
        self.folder = Path(folder)
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        make_certificate(folder)
        if os.geteuid() == 0:
            for path in (self.folder, self.folder / "key.pem", self.folder / "cert.pem"):
                shutil.chown(path, "postgres")
        data = self.folder / "pg"
        self._run([str(PG_BIN / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync"])
        self.process, self.port = start_on_free_port(lambda port: subprocess.Popen(self._as_user([
            "taskset", "-c", SERVER_CORE, str(PG_BIN / "postgres"), "-D", str(data), "-p", str(port),
            "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "ssl=on",
            "-c", f"ssl_cert_file={folder}/cert.pem", "-c", f"ssl_key_file={folder}/key.pem",
            "-c", "max_connections=100"]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        self.pid = self.process.pid
        self._wait_until_ready()
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

    def _wait_until_ready(self):
        """It listens before it answers."""
        until = time.monotonic() + START_SECONDS
        while subprocess.run([str(PG_BIN / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode:
            if time.monotonic() > until:
                raise RuntimeError("PostgreSQL does not become ready")
            time.sleep(0.05)

    def _run(self, command):
        subprocess.run(self._as_user(command), check=True, capture_output=True)

    def _sql(self, script):
        for statement in script.split(";\n"):
            if statement.strip(" ;\n"):
                subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-q", "-c",
                                statement], check=True, capture_output=True)


CLONE_NEWNET = 0x40000000
CABLE, NEAR, FAR = "bench0", "10.64.0.1/24", "10.64.0.2"


def lay_cable():
    """Moves this process into a network namespace of its own, with loopback and one end of a cable: whether that is possible.
    Before anything is started."""
    if ctypes.CDLL(None).unshare(CLONE_NEWNET) != 0 or not Path("/dev/net/tun").exists():
        return False
    for words in (["link", "set", "lo", "up"], ["tuntap", "add", "dev", CABLE, "mode", "tap"], ["addr", "add", NEAR, "dev", CABLE],
                  ["link", "set", CABLE, "up"]):
        subprocess.run(["ip", *words], check=True)
    return True


class Rowlock(Server):
    """The appliance with one reactor (the build's configuration says so), all its processes on the server core. With a cable it
    serves over both stacks: url and lwip_url."""

    def __init__(self, root, binary, data, has_cable=False):
        cable = ["--listen", "127.0.0.1", "--net-interface", f"tap:{CABLE}", "--net-address", f"{FAR}/24"] if has_cable else []
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, f"{root}/board/host/run", "--data", f"{data}/data", "--port", "0", "--json", *cable],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "ROWLOCK": str(binary)})
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the appliance did not start")
        self.info = json.loads(line)
        self.url = self.info["url"]
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))
        self.lwip_url = f"https://{FAR}:{self.port}" if has_cable else None
        self.pid = self.process.pid
        self.tls = ssl.create_default_context(cafile=self.info["caFile"])

    def seconds_since_start(self):
        return time.monotonic() - self.started

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=60)

    def call(self, method, path, key, body=None, connection=None, headers=None):
        """One request; answers (status, headers, parsed body)."""
        peer = connection or self.connection()
        peer.request(method, path, json.dumps(body) if body is not None else None,
                     {"X-API-Key": key, **(headers or {}),
                      **({"Content-Type": "application/json"} if body is not None else {})})
        answer = peer.getresponse()
        return answer.status, answer.getheaders(), json.loads(answer.read())
