"""No test of a metric may reach for the network: a name that is looked up, or a connection, ends it."""

import socket

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refused(*address, **_):
        raise AssertionError(f"a network call: {address}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refused)
