"""The proxy does to connections what it is told."""

import contextlib
import socket
import threading

import pytest

from tests.servers.proxy import TcpProxy


@pytest.fixture
def echo():
    """A server that answers everything with itself; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def proxy(echo):
    with TcpProxy(echo) as proxy:
        yield proxy


def connected(proxy):
    return contextlib.closing(socket.create_connection(("127.0.0.1", proxy.port), 2))


def said(client, text=b"0123456789"):
    client.sendall(text)
    answer = b""
    while len(answer) < len(text):
        piece = client.recv(100)
        if not piece:
            raise ConnectionResetError
        answer += piece
    return answer


def test_it_passes_everything_on(proxy):
    with connected(proxy) as client:
        assert said(client) == b"0123456789"


def test_a_stall_holds_every_byte_until_it_ends(proxy):
    with connected(proxy) as client:
        proxy.stall()
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            said(client)
        client.settimeout(5)
        proxy.pass_through()
        assert client.recv(100) == b"0123456789"


def test_an_answer_is_cut_after_so_many_bytes(proxy):
    with connected(proxy) as client:
        proxy.cut_answer_after(4)
        client.sendall(b"0123456789")
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(100):
                received += piece
        assert received in (b"", b"0123")  # a reset may overtake what came before it
    with connected(proxy) as client:
        assert said(client) == b"0123456789"


def test_open_connections_are_reset_once(proxy):
    with connected(proxy) as client:
        said(client)
        proxy.reset_all()
        with pytest.raises(OSError):  # noqa: PT011 - reset, or a broken pipe
            said(client)
    with connected(proxy) as client:
        assert said(client) == b"0123456789"


def test_a_refusing_one_resets_whoever_comes(proxy):
    proxy.refuse()
    with pytest.raises(OSError), connected(proxy) as client:  # noqa: PT011 - at connecting, or at the first byte
        said(client)
    proxy.pass_through()
    with connected(proxy) as client:
        assert said(client) == b"0123456789"
