"""Frames of a WebSocket (RFC 6455) for tests: enough to be either side, and to break the rules on purpose."""
import base64
import hashlib
import struct

KEY = base64.b64encode(bytes(range(16))).decode()
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def accept(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def frame(opcode, payload=b"", fin=True, mask=None, reserved=0):
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    bit = 0x80 if mask else 0
    head += bytes([bit | size]) if size < 126 else bytes([bit | 126]) + struct.pack("!H", size) if size < 65536 else \
        bytes([bit | 127]) + struct.pack("!Q", size)
    if mask:
        payload = bytes(c ^ mask[i & 3] for i, c in enumerate(payload))
    return head + (mask or b"") + payload


def parse(data):
    """The whole frames at the front of data as (opcode, fin, payload, masked), and the rest."""
    frames = []
    while len(data) >= 2:
        size, at = data[1] & 0x7f, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        masked = bool(data[1] & 0x80)
        mask = data[at:at + 4] if masked else b"\0\0\0\0"
        at += 4 if masked else 0
        if len(data) < at + size:
            break
        frames.append((data[0] & 15, bool(data[0] & 0x80), bytes(c ^ mask[i & 3] for i, c in enumerate(data[at:at + size])), masked))
        data = data[at + size:]
    return frames, data


async def serve(reader, writer, c, fields):
    """The origin's side: agrees, records frames, echoes them; a text "break" is answered with a frame that no client may accept."""
    c["frames"], data = [], b""
    writer.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Accept: {accept(fields.get('sec-websocket-key', ''))}\r\n\r\n").encode())
    while got := await reader.read(65536):
        frames, data = parse(data + got)
        for opcode, fin, payload, masked in frames:
            c["frames"].append([opcode, fin, payload.hex()[:200], masked])
            if payload == b"break":
                writer.write(frame(TEXT, b"compressed", reserved=4))
            else:
                writer.write(frame(PONG if opcode == PING else opcode, payload, fin))
            await writer.drain()
            if opcode == CLOSE:
                return
