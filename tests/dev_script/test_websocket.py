"""The websocket client against a server that is written out byte by byte."""

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
import threading

import dev_server
import pytest
from dev_terminal import Problem

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def frame(opcode, payload, final=True):
    """A frame as a server sends it: not masked."""
    head = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + bytes([126]) + struct.pack(">H", len(payload)) + payload
    return head + bytes([127]) + struct.pack(">Q", len(payload)) + payload


class Peer:
    """A server for one connection: sends `script`, keeps what the client sent as (opcode, payload, was masked)."""

    def __init__(self, script, with_handshake=b""):
        self.script, self.with_handshake, self.received, self.path = script, with_handshake, [], ""

    async def handle(self, reader, writer):
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.path = request.split(" ")[1]
        key = next(line.split(": ")[1] for line in request.splitlines() if line.startswith("Sec-WebSocket-Key"))
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        answer += f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n\r\n"
        writer.write(answer.encode() + self.with_handshake)
        for part in self.script:
            writer.write(part)
            await writer.drain()
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                first, second = await reader.readexactly(2)
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack(">H", await reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack(">Q", await reader.readexactly(8))
                mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
                payload = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(size)))
                self.received.append((first & 0x0F, payload, bool(second & 0x80)))
        writer.close()


@contextlib.contextmanager
def listening(handle):
    """An asyncio server in a thread of its own; yields its port and lets `handle` finish at the end."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:

        async def settle():
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 5)

        asyncio.run_coroutine_threadsafe(settle(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def messages_of(peer, send=()):
    """What the client reads from a peer until the end; `send` are (opcode, payload) it sends first."""
    with listening(peer.handle) as port:
        connection, stream = dev_server.websocket_connect(port, "/ws?clientId=me")
        for opcode, payload in send:
            dev_server.websocket_send(connection, opcode, payload)
        messages = list(dev_server.websocket_messages(connection, stream))
        connection.close()
        stream.close()
    return messages


def test_messages_of_every_length_class_arrive_whole():
    sizes = [0, 1, 125, 126, 65535, 65536, 200_000]
    payloads = [bytes(i % 251 for i in range(size)) for size in sizes]
    peer = Peer([*(frame(BINARY, payload) for payload in payloads), frame(CLOSE, b"")])
    assert messages_of(peer) == [(BINARY, payload) for payload in payloads]
    assert peer.path == "/ws?clientId=me"


def test_fragments_are_joined_also_around_a_ping_and_the_ping_is_answered():
    event = json.dumps({"type": "progress", "text": "\u65e5\u672c"}, ensure_ascii=False).encode()
    script = [
        frame(TEXT, event[:3], final=False),
        frame(PING, b"still there?"),
        frame(CONTINUATION, event[3:20], final=False),
        frame(CONTINUATION, b"", final=False),
        frame(CONTINUATION, event[20:]),
        frame(PONG, b"unasked"),
        frame(BINARY, b"next"),
        frame(CLOSE, struct.pack(">H", 1000)),
    ]
    peer = Peer(script)
    assert messages_of(peer) == [(TEXT, event), (BINARY, b"next")]
    assert (PONG, b"still there?", True) in peer.received


def test_frames_that_arrive_byte_by_byte_or_with_the_handshake_are_read():
    whole = frame(TEXT, b"hello") + frame(CLOSE, b"")
    assert messages_of(Peer([bytes([byte]) for byte in whole])) == [(TEXT, b"hello")]
    assert messages_of(Peer([frame(CLOSE, b"")], with_handshake=frame(TEXT, b"early"))) == [(TEXT, b"early")]


def test_a_close_is_answered_with_its_code_and_ends_the_messages():
    peer = Peer([frame(CLOSE, struct.pack(">H", 1001) + b"bye"), frame(TEXT, b"after")])
    assert messages_of(peer) == []
    assert (CLOSE, struct.pack(">H", 1001) + b"bye", True) in peer.received


def test_a_connection_that_breaks_in_a_frame_ends_the_messages():
    async def handle(reader, writer):
        await Peer([]).handle(FirstOnly(reader), writer)

    class FirstOnly:
        """A reader after whose handshake nothing more comes, so that the peer closes at once."""

        def __init__(self, reader):
            self.readuntil = reader.readuntil

        async def readexactly(self, count):
            raise asyncio.IncompleteReadError(b"", count)

    with listening(handle) as port:
        connection, stream = dev_server.websocket_connect(port, "/ws")
        assert list(dev_server.websocket_messages(connection, stream)) == []
        connection.close()
        stream.close()


def test_what_the_client_sends_is_masked_and_whole():
    sent = [(TEXT, b"{}"), (BINARY, b"x" * 126), (BINARY, bytes(70_000))]
    peer = Peer([frame(CLOSE, b"")])
    messages_of(peer, send=sent)
    assert peer.received[:3] == [(opcode, payload, True) for opcode, payload in sent]


def test_a_server_that_does_not_upgrade_is_reported():
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    with listening(handle) as port, pytest.raises(Problem, match="404"):
        dev_server.websocket_connect(port, "/ws")
