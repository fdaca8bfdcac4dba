"""Routed inference: inference.internal in the guest is an approved endpoint outside, with its key, and only for the models and paths that are listed."""
import json

import pytest

from gateway import Gateway
from intercept_policy import policy

KEY = "sk-Model.Key_of-the-tests.0123456789"
SPLICE = """\
  - name: inference
    hosts: [inference.internal]
    ports: [443]
    mode: intercept
    protocol: rest
    credential: model
    upstream: {host: HOST}
    models: ["m-*", "exact-1"]
    ai: SHAPE
    addresses: [127.0.0.10/32]
    ca: |
      CA
    rules:
      - {class: read, methods: [GET], paths: ["/v1/models"]}
      - {class: draft, methods: [POST], paths: ["/v1/chat/completions", "/v1/messages"]}
"""
BOUND = '  model: {inject: INJECT, hosts: [HOST], paths: ["/v1/models", "/v1/chat/completions", "/v1/messages"]}\n'
INJECT = {"openai": "{bearer: true}", "anthropic": '{header: x-api-key, format: "{}"}'}
CARRIED = {"openai": ("authorization", "Bearer " + KEY), "anthropic": ("x-api-key", KEY)}
PATH = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
HERE = [{"a": "127.0.0.10"}]
ZONE = {"api.model.test": HERE, "next.model.test": HERE, "good.example": HERE}


def routed(ca, shape, host="api.model.test", key=True):
    pem = "".join(f"      {line}\n" for line in open(ca, encoding="ascii").read().splitlines())
    entry = SPLICE.replace("      CA\n", pem).replace("SHAPE", shape)
    text = policy(ca).replace("credentials:\n", entry + "credentials:\n") + BOUND.replace("INJECT", INJECT[shape])
    if not key:
        text = text.replace("    credential: model\n", "").replace(BOUND.replace("INJECT", INJECT[shape]), "")
    return text.replace("HOST", host)


def sse(*events):
    return b"".join((b"event: %s\n" % e["type"].encode() if "type" in e else b"") + b"data: %s\n\n" % json.dumps(e).encode() for e in events)


CHAT = json.dumps({"id": "c", "object": "chat.completion", "model": "m-1", "choices": [{"message": {"role": "assistant", "content": "hi"}}],
                   "usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}}).encode()
CHAT_STREAM = sse({"model": "m-1", "choices": [{"delta": {"content": "h"}}], "usage": None}, {"model": "m-1", "choices": [{"delta": {"content": "i"}}]},
                  {"model": "m-1", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}}) + b"data: [DONE]\n\n"
MESSAGE = json.dumps({"type": "message", "model": "m-1", "content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 12, "output_tokens": 34}}).encode()
MESSAGE_STREAM = sse({"type": "message_start", "message": {"model": "m-1", "usage": {"input_tokens": 12, "output_tokens": 1}}},
                     {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
                     {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 34}}, {"type": "message_stop"})
BODY = {("openai", False): CHAT, ("openai", True): CHAT_STREAM, ("anthropic", False): MESSAGE, ("anthropic", True): MESSAGE_STREAM}


def serve(arena, shape, stream):
    body = BODY[shape, stream]
    kind = b"text/event-stream" if stream else b"application/json"
    arena.ask("script", script={PATH[shape]: {"hex": (b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body).hex()}})
    return body


def call(gw, shape, version="--http1.1", model="m-1", stream=False, path=None, more=()):
    return gw.do("command", ["curl", "-sS", version, "-w", "\n%{http_code}", "-H", "Content-Type: application/json", *more,
                             "-d", json.dumps({"model": model, "stream": stream, "messages": []}), f"https://inference.internal{path or PATH[shape]}"])


@pytest.fixture(scope="module", params=["openai", "anthropic"])
def shape(request):
    return request.param


@pytest.fixture(scope="module")
def gateway(arena, build, tmp_path_factory, shape):
    arena.zone(ZONE)
    g = Gateway(arena, build, routed(arena.ca, shape), tmp_path_factory.mktemp("routed"), secrets={"token": "unused-Value", "model": KEY})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def world(arena):
    arena.zone(ZONE)
    yield
    arena.ask("script", script={})


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_goes_to_the_endpoint_with_its_key_and_is_counted(arena, gateway, shape, version, stream):
    body = serve(arena, shape, stream)
    with gateway.attack() as a:
        own = ["-H", "Authorization: Bearer mine", "-H", "x-api-key: mine"]
        got = call(gateway, shape, version, stream=stream, more=own)
        assert got["out"].encode() == body + b"\n200", got
        for flow in a.wait_events(lambda es: [e for e in es if e["class_uid"] == 4002], dns=False):
            assert flow["disposition"] == "Allowed", flow
            if flow["class_uid"] == 4001:  # none where the connection of the call before goes on
                assert flow["dst_endpoint"]["hostname"] == "inference.internal" and "api.model.test:443" in flow["status_detail"]
        end, = a.ends(class_uid=6003)
        assert end["ai_model"]["name"] == "m-1" and "api.model.test" in end["status_detail"]
        assert (end["message_context"]["prompt_tokens"], end["message_context"]["completion_tokens"]) == (12, 34)
        assert "ai_operation" in end["metadata"]["profiles"]
        seen = a.seen()
        assert {q["name"] for q in seen["queries"]} <= {"api.model.test"} and {c["sni"] for c in seen["connections"]} <= {"api.model.test"}
        sent, = seen["requests"]
        fields = [(k.lower(), v) for k, v in sent["fields"]]
        assert [v for k, v in fields if k == "host"] == ["api.model.test"]
        assert [f for f in fields if f[0] in ("authorization", "x-api-key")] == [CARRIED[shape]]
    assert KEY not in got["out"] + got["err"]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_what_is_streamed_arrives_event_by_event_and_is_counted_at_its_end(arena, gateway, shape, version):
    events = [e + b"\n\n" for e in BODY[shape, True].split(b"\n\n") if e]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [b"%x\r\n%s\r\n" % (len(e), e) for e in events] + [b"0\r\n\r\n"]
    arena.ask("script", script={PATH[shape]: {"hex": head.hex(), "pieces": [p.hex() for p in pieces]}})
    with gateway.attack() as a:
        done = gateway.do("command", ["sh", "-c", f"curl -sSN {version} -d '{{\"model\": \"exact-1\"}}' https://inference.internal{PATH[shape]} | "
                                                  "while read -r l; do echo \"$(date +%s%N) $l\"; done"])
        times = [int(l.split()[0]) / 1e9 for l in done["out"].splitlines() if "data:" in l]
        assert len(times) == len(events) and times[-1] - times[0] > 0.3, done
        end, = a.ends(class_uid=6003)
        assert (end["message_context"]["prompt_tokens"], end["message_context"]["completion_tokens"]) == (12, 34)


@pytest.mark.parametrize("model", ["x-large", "M-1", "exact-10", ""])
def test_a_model_that_is_not_listed_is_denied_before_anything_is_asked(arena, gateway, shape, model):
    serve(arena, shape, False)
    with gateway.attack() as a:
        got = call(gateway, shape, model=model)
        body, _, code = got["out"].rpartition("\n")
        event, = a.denied("condition_not_met")
        assert code == "403" and json.loads(body)["policy_change"] == event["unmapped"]["policy_change"]
        assert event["unmapped"]["policy_change"].endswith(f'.json["/model"]): add "{model}"')


@pytest.mark.parametrize("path, reason", [("/v1/files", "path_not_listed"), ("/v1/batches", "path_not_listed"), ("/v1/fine_tuning/jobs", "path_not_listed"),
                                          ("/v1/models", "method_not_listed")])
def test_other_doors_of_the_endpoint_are_denied(gateway, shape, path, reason):
    with gateway.attack() as a:
        assert call(gateway, shape, path=path)["out"].endswith("\n403")
        a.denied(reason)


def test_a_body_that_names_two_models_or_none_is_denied(gateway, shape):
    for body, reason in [('{"model":"m-1","model":"x-large"}', "ambiguous_body"), ('{"Model":"m-1"}', "ambiguous_body"), ('{"messages":[]}', "condition_not_met"),
                         ('{"model":["m-1"]}', "condition_not_met"), ("model=m-1", "body_not_parsable")]:
        with gateway.attack() as a:
            got = gateway.do("command", ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-d", body, f"https://inference.internal{PATH[shape]}"])
            assert got["out"] == "403", (body, got)
            a.denied(reason)


def test_the_endpoints_own_name_is_not_reachable(gateway, shape):  # pylint: disable=unused-argument
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "https://api.model.test/v1/models"])
        assert "Could not resolve" in got["err"], got
        a.denied("name_not_listed", at_least=True)


def test_an_endpoint_with_an_address_that_is_not_listed_is_refused(arena, build, tmp_path):
    g = Gateway(arena, build, routed(arena.ca, "openai"), tmp_path / "private", secrets={"token": "unused-Value", "model": KEY})
    try:
        for address, change in [("10.1.2.3", 'network[inference].addresses: add "10.1.2.3/32"'),
                                ("169.254.169.254", "no policy allows this: link-local, metadata, multicast and unspecified addresses are never dialled")]:
            arena.zone({"api.model.test": [{"a": address}], "inference.internal": HERE})
            with g.attack() as a:
                got = call(g, "openai")
                assert got["out"].endswith("\n403") and "address_not_permitted" in got["out"], got
                event, = a.wait_events(lambda es: [e for e in es if e["disposition"] == "Blocked"], dns=False)
                assert event["status_code"] == "address_not_permitted" and event["unmapped"]["policy_change"] == change
                assert not a.seen()["connections"]
    finally:
        g.stop()


def test_an_endpoint_whose_certificate_is_of_another_name_gets_no_request(arena, build, tmp_path):
    """The certificate of inference.internal would not do either: it is the endpoint's own name that is verified."""
    arena.zone({**ZONE, "wrong.model.test": HERE})
    g = Gateway(arena, build, routed(arena.ca, "openai", "wrong.model.test"), tmp_path / "wrong", secrets={"token": "unused-Value", "model": KEY})
    try:
        with g.attack() as a:
            got = call(g, "openai")
            assert got["out"].endswith("\n502") and "upstream_not_verified" in got["out"], got
            assert not a.seen()["requests"]
    finally:
        g.stop()


def test_without_a_key_the_short_way_leads_to_the_endpoint_too(arena, build, tmp_path):
    g = Gateway(arena, build, routed(arena.ca, "openai", key=False), tmp_path / "short", secrets={"token": "unused-Value"})
    try:
        body = serve(arena, "openai", True)
        with g.attack() as a:
            assert call(g, "openai", stream=True)["out"].encode() == body + b"\n200"
            connection, = a.seen()["connections"]
            sent, = a.seen()["requests"]
            assert connection["sni"] == "api.model.test" and ["api.model.test"] == [v for k, v in sent["fields"] if k.lower() == "host"]
            end, = a.ends(class_uid=6003)
            assert (end["message_context"]["prompt_tokens"], end["message_context"]["completion_tokens"]) == (12, 34)
    finally:
        g.stop()


def test_the_key_is_nowhere_in_the_guest_or_its_events(gateway, shape, arena):
    serve(arena, shape, False)
    call(gateway, shape)
    for command in (["env"], ["curl", "-sS", "http://saw.internal/v1/whoami"], ["curl", "-sS", "http://saw.internal/v1/reach"]):
        assert KEY not in gateway.do("command", command)["out"]
    assert KEY not in json.dumps(gateway.events())
