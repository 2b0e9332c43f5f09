"""The checked address is connected to, under the receiver's own name (partner-api B3)."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from polysim.kernel.clock import utc_now
from tenants.office.webhooks.sending import Attempt, send_attempts
from tests.webhooks.receiver import running_receiver


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for `name` that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.mark.parametrize(("name", "is_trusted"), [("localhost", True), ("elsewhere", False)])
def test_the_name_of_the_url_is_asked_for_and_must_be_the_certificates(
    name: str,
    is_trusted: bool,
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    certificate, key = make_certificate(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked: list[str | None] = []
    context.sni_callback = lambda connection, server_name, _: asked.append(server_name)
    with running_receiver(context) as receiver:
        (result,) = send_attempts([Attempt("one", receiver.url, {}, b"{}")])
        port = receiver.url.split(":")[2].split("/")[0]
        hosts = [request.headers["host"] for request in receiver.requests]
    assert asked == ["localhost"]
    assert result.is_success is is_trusted
    assert hosts == ([f"localhost:{port}"] if is_trusted else [])
