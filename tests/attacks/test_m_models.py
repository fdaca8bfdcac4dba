"""What models say of their tokens goes on record where an entry says that it is a model's, on both ways."""
import json
import pathlib
import subprocess
import sys

import pytest

from gateway import Gateway
from intercept_policy import SECRET, ZONE, policy

SAID = {"id": "x", "model": "m-1", "choices": [{"message": {"content": "\"usage\": 9"}}], "usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}}
WHOLE = json.dumps(SAID).encode()
STREAM = b"".join(b"data: %s\n\n" % json.dumps(d).encode() for d in ({"model": "m-1", "usage": None}, dict(SAID, choices=[]))) + b"data: [DONE]\n\n"


def answer(kind, body):
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body


@pytest.fixture(scope="module")
def gateway(arena, build, tmp_path_factory):
    arena.zone(ZONE)
    text = policy(arena.ca).replace("    protocol: rest\n", "    protocol: rest\n    ai: openai\n", 2)
    g = Gateway(arena, build, text, tmp_path_factory.mktemp("models"), secrets={"token": SECRET})
    yield g
    g.stop()


@pytest.fixture(autouse=True)
def world(arena):
    arena.zone(ZONE)
    arena.ask("script", script={"/data/whole": {"hex": answer(b"application/json", WHOLE).hex()},
                                "/data/stream": {"hex": answer(b"text/event-stream; charset=utf-8", STREAM).hex()}})
    yield
    arena.ask("script", script={})


@pytest.mark.parametrize("host", ["good.example", "cred.example"])
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("path, body", [("/data/whole", WHOLE), ("/data/stream", STREAM)], ids=["whole", "stream"])
def test_tokens_and_model_stand_in_one_event_of_the_schema(gateway, host, version, path, body):
    with gateway.attack() as a:
        got = gateway.do("command", ["curl", "-sS", "--compressed", version, "-d", "{}", f"https://{host}{path}"])
        assert got["out"].encode() == body, got
        a.allowed(4002)
        end, = a.ends(class_uid=6003)
        assert end["ai_model"] == {"ai_provider": host, "name": "m-1"}
        assert (end["message_context"]["prompt_tokens"], end["message_context"]["completion_tokens"]) == (12, 34)
        assert end["unmapped"].get("credential") == ("token" if host == "cred.example" else None), end
        assert end["http_request"]["url"]["path"] == path and "ai_operation" in end["metadata"]["profiles"]
        tool = next((p / "shared/data/ocsf_validate.py" for p in pathlib.Path(__file__).resolve().parents
                     if (p / "shared/data/ocsf_validate.py").exists()), None)
        if tool:
            done = subprocess.run([sys.executable, str(tool), "-"], input=json.dumps(end), capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout
