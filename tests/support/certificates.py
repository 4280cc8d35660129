"""Certificates for a TLS server on this machine, made by the openssl command."""

import ssl
import subprocess
from pathlib import Path

SETTINGS = """
[ca]
default_ca = this
[this]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = anything
rand_serial = yes
[anything]
commonName = supplied
"""


def certificate(folder: Path, *, name: str = "localhost", until: str = "20990101000000Z") -> ssl.SSLContext:
    """Write a self-signed ``<name>.pem`` into ``folder`` and return the context of a server."""
    (folder / "ca.cnf").write_text(SETTINGS)
    (folder / "names.cnf").write_text(f"subjectAltName = DNS:{name}\n")
    (folder / "index.txt").touch()
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl(folder, "req", "-new", *curve, "-keyout", f"{name}.key", "-out", "request", "-subj", f"/CN={name}")
    signing = ["-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", f"{name}.key", "-extfile", "names.cnf"]
    dates = ["-startdate", "20200101000000Z", "-enddate", until]
    _openssl(folder, "ca", *signing, *dates, "-in", "request", "-out", f"{name}.pem", "-notext")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607 - our own arguments
