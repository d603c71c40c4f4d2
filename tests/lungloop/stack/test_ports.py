"""A taken port is refused before anything starts, with the option that mends it."""

import socket

import pytest

from lungloop.stack.ports import PortTakenError, any_free_port, is_free, require_free


def test_a_port_that_nobody_uses_is_free() -> None:
    assert is_free(any_free_port())


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_with_a_listener_is_taken_whatever_address_it_listens_on(address: str) -> None:
    with socket.socket() as listener:
        listener.bind((address, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(
            PortTakenError, match=f"port {port}, which Label Studio needs.*--label-studio-port"
        ):
            require_free(port, "Label Studio", "--label-studio-port")


def test_a_port_is_free_again_at_once_after_its_listener_has_gone() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller:
            answered, _ = listener.accept()
            answered.close()
            caller.recv(1)
    assert is_free(port)
