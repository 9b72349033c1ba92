# SPDX-License-Identifier: Apache-2.0
"""reflection.py SOCKET: the reflection service: every service that it lists can be called as it describes it."""
import sys
import gateway

gateway.TYPES.update({
    "ReflectionRequest": {"host": (1, "s"), "file": (3, "s"), "symbol": (4, "s"), "extension": (5, "Extension"), "numbers": (6, "s"), "list": (7, "s")},
    "Extension": {"type": (1, "s"), "number": (2, "i")},
    "ReflectionReply": {"host": (1, "s"), "request": (2, "ReflectionRequest"), "files": (4, "Files"), "numbers": (5, "Numbers"),
                        "services": (6, "Services"), "error": (7, "ReflectionError")},
    "Files": {"list": (1, "*b")},
    "Numbers": {"type": (1, "s"), "list": (2, "*i")},
    "Services": {"list": (1, "*Service")},
    "Service": {"name": (1, "s")},
    "ReflectionError": {"code": (1, "i"), "text": (2, "s")},
    "FileProto": {"name": (1, "s"), "package": (2, "s"), "needs": (3, "*s"), "types": (4, "*TypeProto"), "services": (6, "*ServiceProto")},
    "TypeProto": {"name": (1, "s")},
    "ServiceProto": {"name": (1, "s"), "methods": (2, "*MethodProto")},
    "MethodProto": {"name": (1, "s"), "takes": (2, "s"), "gives": (3, "s"), "takes_stream": (5, "i"), "gives_stream": (6, "i")},
    "HealthRequest": {"service": (1, "s")},
    "HealthReply": {"status": (1, "i")},
})


class Reflection:
    """One call, which answers several requests."""

    def __init__(self, conn, version):
        self.call = conn.start(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")

    def ask(self, **request):
        self.call.send(gateway.encode("ReflectionRequest", request))
        reply = gateway.decode("ReflectionReply", self.call.recv())
        for name, value in request.items():
            assert reply["request"][name] == value or name == "extension", reply["request"]
        return reply

    def files(self, **request):
        reply = self.ask(host="h", **request)
        assert reply["host"] == "h" and not reply["error"], reply
        return [gateway.decode("FileProto", data) for data in reply["files"]["list"]]

    def fails(self, code, **request):
        reply = self.ask(**request)
        assert reply["error"]["code"] == code and reply["error"]["text"], reply

    def close(self):
        self.call.close_send()
        assert self.call.recv() is None
        self.call.check()


def describe(reflection, service):
    """The methods of a service; every file that is needed to read them is there, and their types are known."""
    files = reflection.files(symbol=service)
    names = {f["name"] for f in files}
    assert len(names) == len(files) and all(need in names for f in files for need in f["needs"]), names
    types = {f".{f['package']}.{t['name']}" for f in files for t in f["types"]}
    found = [s for s in files[0]["services"] if f"{files[0]['package']}.{s['name']}" == service]
    assert len(found) == 1 and found[0]["methods"], service
    for m in found[0]["methods"]:
        assert m["takes"] in types and m["gives"] in types, m
        assert reflection.files(symbol=f"{service}.{m['name']}")[0]["name"] == files[0]["name"]
    assert reflection.files(file=files[0]["name"])[0] == files[0]
    return found[0]["methods"]


def is_served(conn, path):
    """The method exists: a malformed message gets another answer than an unknown method does."""
    call = conn.start(path)
    call.send(b"\xff")
    call.close_send()
    try:
        call.check()
        return True
    except gateway.Failed as e:
        return "unknown" not in str(e)


conn = gateway.Conn(sys.argv[1])
assert not is_served(conn, "/moby.buildkit.v1.Control/Nothing") and not is_served(conn, "/no.Service/Solve")
seen = {}
for version in ("v1", "v1alpha"):
    reflection = Reflection(conn, version)
    services = [s["name"] for s in reflection.ask(list="*")["services"]["list"]]
    assert services == sorted(services)
    for expected in ("moby.buildkit.v1.Control", "moby.buildkit.v1.frontend.LLBBridge", "containerd.services.content.v1.Content",
                     "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"):
        assert expected in services, (expected, services)
    for service in services:
        methods = describe(reflection, service)
        assert seen.setdefault(service, methods) == methods
    reflection.fails(5, symbol="no.Such")
    reflection.fails(5, file="no.proto")
    reflection.fails(5, numbers="no.Type")
    reflection.fails(5, extension={"type": "moby.buildkit.v1.SolveRequest", "number": 1})
    reflection.fails(3, host="h")
    assert reflection.ask(numbers="moby.buildkit.v1.SolveRequest")["numbers"]["type"] == "moby.buildkit.v1.SolveRequest"
    reflection.close()

solve = next(m for m in seen["moby.buildkit.v1.Control"] if m["name"] == "Solve")
status = next(m for m in seen["moby.buildkit.v1.Control"] if m["name"] == "Status")
assert (solve["takes_stream"], solve["gives_stream"], status["gives_stream"]) == (0, 0, 1)
for service, methods in seen.items():
    for m in methods:
        if m["name"] != "Session": # begins with the headers
            assert is_served(conn, f"/{service}/{m['name']}"), (service, m["name"])
    call = conn.start("/grpc.health.v1.Health/Check")
    call.send(gateway.encode("HealthRequest", {"service": service}))
    call.close_send()
    assert gateway.decode("HealthReply", call.recv())["status"] == 1, service
print(f"{len(seen)} services, {sum(len(m) for m in seen.values())} methods")
