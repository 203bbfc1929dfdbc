# SPDX-License-Identifier: GPL-3.0-or-later
"""CAs of tests, and certificates of the servers on this machine that the box connects to."""

import datetime
import pathlib
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def name_of(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def certify(subject, public_key, issuer, issuer_key, *extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (x509.CertificateBuilder().subject_name(name_of(subject)).issuer_name(name_of(issuer))
               .public_key(public_key).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30)))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


class Authority:
    """A CA; pem is its certificate."""

    def __init__(self, name="CA of tests"):
        self.name, self.key = name, ec.generate_private_key(ec.SECP256R1())
        self.pem = pem(certify(name, self.key.public_key(), name, self.key,
                               (x509.BasicConstraints(ca=True, path_length=0), True)))

    def write_leaf(self, directory, host):
        """A certificate for the host with its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = certify(host, key.public_key(), self.name, self.key,
                       (x509.SubjectAlternativeName([x509.DNSName(host)]), False),
                       (x509.BasicConstraints(ca=False, path_length=None), True),
                       (x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False))
        path = directory / f"{host}.pem"
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()) + pem(leaf).encode())
        return path

    def context(self, host="localhost"):
        """Of a server that has a new key and a certificate for the host."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as directory:
            context.load_cert_chain(self.write_leaf(pathlib.Path(directory), host))
        return context
