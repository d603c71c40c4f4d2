"""Quick questions to services: does it answer?"""

import http.client
import socket
from urllib.parse import urlsplit

from lungloop.stack.ports import LOOPBACK

_TIMEOUT_SECONDS = 5.0


def http_status(url: str) -> int | None:
    """What a GET of this address is answered with, without any proxy; None where nobody answers."""
    parts = urlsplit(url)
    if not parts.hostname:
        return None
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def answers_http(port: int, path: str) -> bool:
    """True where a GET of this path on the loopback port is answered with 200."""
    return http_status(f"http://{LOOPBACK}:{port}{path}") == http.client.OK


def answers_ping(port: int, password: str) -> bool:
    """True where a Redis server on the loopback port takes the password and answers PING."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=_TIMEOUT_SECONDS) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            received = b""
            # "+OK" and "+PONG", or one "-ERR ..." while the append-only file is still being read.
            while received.count(b"\r\n") < 2:
                chunk = connection.recv(256)
                if not chunk:
                    return False
                received += chunk
            return b"+PONG" in received
    except OSError:
        return False
