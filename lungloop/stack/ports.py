"""Loopback ports: free ones, and a clear word where one is taken."""

import socket

from chestct.errors import SettingsError

LOOPBACK = "127.0.0.1"


class PortTakenError(SettingsError):
    """Another program listens on a port that the stack was told to use.

    Args:
        port: the port.
        service: who wanted it, in the user's words.
        option: the option that chooses another one.
    """

    def __init__(self, port: int, service: str, option: str) -> None:
        self.port = port
        super().__init__(
            f"port {port}, which {service} needs, is taken by another program: "
            f"stop that program or choose another port with {option} (make up ARGS='{option} {port + 1}')"
        )


def is_free(port: int) -> bool:
    """True where a server could listen on this port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port that only waits for old connections to fade (TIME_WAIT) is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(port: int, service: str, option: str) -> None:
    """Refuses a taken port before anything is started.

    Label Studio itself would silently move on to the next port.

    Raises:
        PortTakenError: something listens there.
    """
    if not is_free(port):
        raise PortTakenError(port, service, option)


def any_free_port() -> int:
    """A port that nobody used a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
