"""A real gRPC stack at both ends, without protobuf: messages are bytes.

    grpc_peer.py serve ADDRESS:PORT CERTS      prints "ready", serves until its stdin ends
    grpc_peer.py call HOST:PORT CA             makes one call of each kind and prints what came of them as JSON"""
import concurrent.futures
import json
import sys
import threading

SERVICE = "saw.test.v1.Echo"


def serve(address, certs):
    import grpc
    read = lambda name: open(f"{certs}/{name}", "rb").read()
    cancelled = threading.Event()

    def unary(request, context):
        context.set_trailing_metadata((("x-sum", str(len(request))), ("x-raw-bin", b"\0\xff")))
        return request + dict(context.invocation_metadata()).get("x-said", "").encode()

    def fails(_, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: caf\u00e9 100%")

    def download(request, _):
        for i in range(int(request)):
            yield b"part %d" % i

    def upload(requests, _):
        return b"%d" % sum(len(r) for r in requests)

    def bidi(requests, _):
        for r in requests:
            yield b"re: " + r

    def waits(requests, context):
        context.add_callback(cancelled.set)
        yield b"begun"
        for _ in requests:
            pass

    def was_cancelled(_, __):
        return b"yes" if cancelled.wait(5) else b"no"

    handlers = {"Unary": grpc.unary_unary_rpc_method_handler(unary), "Fails": grpc.unary_unary_rpc_method_handler(fails),
                "Download": grpc.unary_stream_rpc_method_handler(download), "Upload": grpc.stream_unary_rpc_method_handler(upload),
                "Bidi": grpc.stream_stream_rpc_method_handler(bidi), "Waits": grpc.stream_stream_rpc_method_handler(waits),
                "WasCancelled": grpc.unary_unary_rpc_method_handler(was_cancelled)}
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(20))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_secure_port(address, grpc.ssl_server_credentials([(read("leaf.key"), read("leaf.pem"))]))
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(0)


def _bidi(call):
    """Each message is sent only when the one before was answered."""
    answers, turn = [], threading.Semaphore(1)

    def asks():
        for i in range(20):
            turn.acquire()  # pylint: disable=consider-using-with
            yield b"%d" % i
    for answer in call(asks(), timeout=20):
        answers.append(answer.decode())
        turn.release()
    return answers


def _cancels(stub):
    """The host speaks first, and hears that the call is given up."""
    done = threading.Event()
    call = stub("Waits", "stream_stream")(iter(lambda: b"" if done.wait(10) else None, b""), timeout=20)
    first = next(call)
    call.cancel()
    done.set()
    return first.decode()


def call(target, ca):
    import grpc
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(open(ca, "rb").read()))
    stub = lambda name, kind="unary_unary": getattr(channel, kind)(f"/{SERVICE}/{name}")
    out = {}
    answer, info = stub("Unary").with_call(b"hello, ", metadata=(("x-said", "you"),), timeout=20)
    out["unary"] = answer.decode()
    out["trailers"] = {k: v.hex() if isinstance(v, bytes) else v for k, v in info.trailing_metadata()}
    try:
        stub("Fails")(b"x", timeout=20)
    except grpc.RpcError as e:
        out["fails"] = [e.code().name, e.details()]
    try:
        stub("Unknown")(b"x", timeout=20)
    except grpc.RpcError as e:
        out["unknown"] = e.code().name
    out["download"] = [p.decode() for p in stub("Download", "unary_stream")(b"100", timeout=20)][-1]
    out["upload"] = stub("Upload", "stream_unary")(iter([b"x" * 10000] * 100), timeout=20).decode()
    out["bidi"] = _bidi(stub("Bidi", "stream_stream"))
    out["large"] = len(stub("Unary")(b"y" * 3_000_000, timeout=20))
    out["cancels"] = _cancels(stub)
    out["cancelled"] = stub("WasCancelled")(b"", timeout=20).decode()
    futures = [stub("Unary").future(b"%d" % i, timeout=20) for i in range(100)]
    out["parallel"] = [f.result().decode() for f in futures] == [str(i) for i in range(100)]
    try:
        stub("Denied")(b"x", timeout=20)
    except grpc.RpcError as e:
        out["denied"] = [e.code().name, e.details()]
    print(json.dumps(out))


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
