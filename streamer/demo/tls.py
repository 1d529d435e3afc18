"""TLS in front of a plain server of the loopback, with a certificate of its own making."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
from collections.abc import Awaitable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "localhost"
PIECE = 16_384
KERNEL_BUFFER = 65_536
"""Bytes; the usual buffers of the loopback would hide a server that reads nothing for 14 s."""
CONNECT_S = 5.0


class TlsFront:
    """Takes TLS connections and hands their bytes to a plain port, no faster than that reads."""

    def __init__(self, folder: Path) -> None:
        self.port = 0
        self.certificate = folder / "certificate.pem"
        self._key = folder / "key.pem"
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def start(self, behind: int) -> None:
        """Listen on the loopback and pass everything on to the port `behind`."""
        if not self.certificate.exists():
            make_certificate(self.certificate, self._key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self._key)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.set_name("tls front connection")
            self._connections.add(task)
            try:
                await _join(reader, writer, behind, self._flowing)
            finally:
                self._connections.discard(task)

        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it when it is set before listening.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
        listening.bind(("127.0.0.1", self.port))
        self.port = int(listening.getsockname()[1])
        self._server = await asyncio.start_server(
            connected, sock=listening, ssl=context, limit=PIECE
        )

    def freeze(self) -> None:
        """Pass nothing on from now on; connections stay open."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Go on after `freeze`. Safe to call at any time."""
        self._flowing.set()

    async def stop(self) -> None:
        """Close the port and every connection. The next start takes the same port."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._server = None


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    behind: int,
    flowing: asyncio.Event,
) -> None:
    """Pass bytes both ways, while `flowing`, until one side ends."""
    try:
        async with asyncio.timeout(CONNECT_S):
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", behind)
    except (OSError, TimeoutError):
        writer.transport.abort()
        return
    pumps = [
        asyncio.create_task(_pump(reader, inner_writer, flowing), name="tls front in"),
        asyncio.create_task(_pump(inner_reader, writer, flowing), name="tls front out"),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for side in (writer, inner_writer):
            await _close(side)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(PIECE):
            await flowing.wait()
            writer.write(data)
            await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    closed: Awaitable[None] = writer.wait_closed()
    try:
        async with asyncio.timeout(1.0):
            await closed
    except (OSError, TimeoutError):
        # A peer that reads nothing cannot be said goodbye to.
        writer.transport.abort()


def make_certificate(certificate: Path, key: Path, *, days: int = 30) -> None:
    """A self-signed certificate for the loopback, in PEM, with its private key beside it."""
    certificate.parent.mkdir(parents=True, exist_ok=True)
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
