"""Quick questions to services: does it answer?"""

import http.client
import socket

from lungloop.stack.ports import LOOPBACK

_TIMEOUT_SECONDS = 5.0


def answers_http(port: int, path: str) -> bool:
    """True where a GET of this path on the loopback port is answered with 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def answers_ping(port: int, password: str) -> bool:
    """True where a Redis server on the loopback port takes the password and answers PING."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=_TIMEOUT_SECONDS) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            heard = b""
            # "+OK" and "+PONG", or one "-ERR ..." while the append-only file is still being read.
            while heard.count(b"\r\n") < 2:
                more = connection.recv(256)
                if not more:
                    return False
                heard += more
            return b"+PONG" in heard
    except OSError:
        return False
