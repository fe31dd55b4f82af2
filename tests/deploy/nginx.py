"""nginx with config/nginx.conf as operators are told to use it; only addresses, folders and certificate are this machine's."""

import datetime
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reseller.clock import now
from tests.servers import READY_SECONDS, ROOT, Listener, free_port
from tests.waiting import wait_until

EXAMPLE = ROOT / "config" / "nginx.conf"
HOST = "shop.example.com"
MAIN = """
{user}
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr info;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/reseller.conf;
}}
"""


class NginxServer(Listener):
    """In front of boxes at these ports of this machine: plain at `port`, with TLS at `tls_port`; `clear_port` stands for port 80."""

    def __init__(self, program: str, ports: Sequence[int], *, env: Mapping[str, str], folder: Path) -> None:
        folder.mkdir()
        self.port, self.tls_port, self.clear_port = free_port(), free_port(), free_port()
        _certify(folder)
        (folder / "reseller.conf").write_text(self._adapted(EXAMPLE.read_text(), ports, folder))
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
        command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        super().__init__(command, env=env, log=folder / "nginx.log")
        try:
            wait_until(lambda: self.exit_code is not None or self.status_of("/healthz") == 200, READY_SECONDS)
            assert self.exit_code is None, self.log
        except BaseException:
            self.kill()
            raise

    def _adapted(self, text: str, ports: Sequence[int], folder: Path) -> str:
        """Each place must be there, so that the example cannot drift away from the test."""
        [options] = re.findall(r"^    server 127\.0\.0\.1:8000 (.*);$", text, re.MULTILINE)
        boxes = "\n".join(f"    server 127.0.0.1:{port} {options};" for port in ports)
        for pattern, here in (
            (r"^    server 127\.0\.0\.1:8000 .*;$", boxes),
            (r"^    listen 443 ssl http2;$", f"    listen 127.0.0.1:{self.tls_port} ssl http2;\n    listen 127.0.0.1:{self.port};"),
            (r"^    listen 80;$", f"    listen 127.0.0.1:{self.clear_port};"),
            (r"/etc/letsencrypt/live/shop\.example\.com/", f"{folder}/"),
        ):
            text, times = re.subn(pattern, here, text, flags=re.MULTILINE)
            assert times, f"config/nginx.conf has no line like {pattern}"
        return text


def _certify(folder: Path) -> None:
    """A key and a certificate that nobody signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - datetime.timedelta(days=1))
        .not_valid_after(now() + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "privkey.pem").write_bytes(pem)
