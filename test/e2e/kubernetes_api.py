#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kubernetes_api: as much of a Kubernetes API server and of a kubelet as the kubernetes driver of docker buildx uses.

    kubernetes_api.py DIR OPTION...

Serves HTTP on loopback. DIR gets "kubeconfig" when the server is ready, "log" with requests, and the volumes of pods. Each Deployment
or StatefulSet has one pod, which is a container: "docker run" with the OPTIONs and with the image, arguments, security context and
volumes of the object, which is ready as soon as the pod's readiness probe succeeds. Clients send objects as JSON or in Kubernetes'
protobuf encoding, and exec requests with SPDY/3.1, which client-go uses for this driver.
"""
import http.server, json, os, struct, subprocess, sys, tempfile, threading, urllib.parse, zlib

DIR, OPTIONS = sys.argv[1], sys.argv[2:]
PROTOBUF = "application/vnd.kubernetes.protobuf"
SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
FIN = 1
lock = threading.Lock()
objects = {}  # (kind, name): object
log = open(f"{DIR}/log", "a", buffering=1)

# Fields of the Kubernetes API that are read here, by protobuf's field numbers. A list marks a repeated field, "map" one of
# type map<string, string>; other values are str, bool, int or the message's fields.
META = {1: ("name", str), 11: ("labels", "map")}
MOUNT = {1: ("name", str), 3: ("mountPath", str)}
PROBE = {1: ("handler", {1: ("exec", {1: ("command", [str])})})}
SECURITY = {2: ("privileged", bool), 4: ("runAsUser", int), 11: ("seccompProfile", {1: ("type", str)})}
CONTAINER = {1: ("name", str), 2: ("image", str), 3: ("command", [str]), 4: ("args", [str]), 9: ("volumeMounts", [MOUNT]),
             11: ("readinessProbe", PROBE), 15: ("securityContext", SECURITY)}
SOURCE = {2: ("emptyDir", {}), 19: ("configMap", {1: ("ref", {1: ("name", str)})})}
VOLUME = {1: ("name", str), 2: ("source", SOURCE)}
POD = {1: ("volumes", [VOLUME]), 2: ("containers", [CONTAINER])}
TEMPLATE = {1: ("metadata", {11: ("labels", "map"), 12: ("annotations", "map")}), 2: ("spec", POD)}
SELECTOR = {1: ("matchLabels", "map")}
CLAIM = {1: ("metadata", META)}
OBJECTS = {
    "deployments": {1: ("metadata", META), 2: ("spec", {1: ("replicas", int), 2: ("selector", SELECTOR), 3: ("template", TEMPLATE)})},
    "statefulsets": {1: ("metadata", META), 2: ("spec", {1: ("replicas", int), 2: ("selector", SELECTOR), 3: ("template", TEMPLATE),
                                                         4: ("volumeClaimTemplates", [CLAIM])})},
    "configmaps": {1: ("metadata", META), 2: ("data", "map")},
}
KINDS = {"deployments": ("apps/v1", "Deployment"), "statefulsets": ("apps/v1", "StatefulSet"), "configmaps": ("v1", "ConfigMap")}
# Messages that protobuf has inside others, while JSON has their fields in the outer object.
INLINE = ("handler", "source", "ref")


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"wire type {key & 7}")
        yield key >> 3, value


def decode(data, schema):
    if schema is str:
        return data.decode()
    if not isinstance(schema, dict):
        return schema(data)
    message = {}
    for number, value in fields(data):
        if number not in schema:
            continue
        name, kind = schema[number]
        if kind == "map":
            entry = dict(fields(value))
            message.setdefault(name, {})[entry[1].decode()] = entry.get(2, b"").decode()
        elif isinstance(kind, list):
            message.setdefault(name, []).append(decode(value, kind[0]))
        elif name in INLINE:
            message.update(decode(value, kind))
        else:
            message[name] = decode(value, kind)
    return message


def parse(body, content_type, resource):
    if content_type != PROTOBUF:
        return json.loads(body)
    if body[:4] != b"k8s\0":
        raise ValueError("no object of Kubernetes")
    return decode(dict(fields(body[4:]))[2], OBJECTS[resource])


def docker(*args):
    return subprocess.run(["docker", *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode


def pod_name(name):
    return f"{name}-0"


def volume(data):
    """The path of a new directory: that of a ConfigMap with the data, or an empty one, which all users may write to."""
    path = tempfile.mkdtemp(prefix="volume-", dir=DIR)
    os.chmod(path, 0o755 if data else 0o777)
    for name, text in data.items():
        with open(f"{path}/{name}", "w") as f:
            f.write(text)
    return path


def start(resource, created):
    """Runs the pod; the object is ready when the readiness probe succeeds."""
    name, pod = created["metadata"]["name"], created["spec"]["template"]["spec"]
    container, options = pod["containers"][0], []
    data = {v["name"]: objects["configmaps", v["configMap"]["name"]]["data"] for v in pod.get("volumes", []) if "configMap" in v}
    for mount in container.get("volumeMounts", []):
        options += ["-v", f"{volume(data.get(mount['name'], {}))}:{mount['mountPath']}"]
    context = container.get("securityContext", {})
    if context.get("privileged"):
        options.append("--privileged")
    if context.get("seccompProfile", {}).get("type") == "Unconfined":
        options += ["--security-opt", "seccomp=unconfined"]
    annotations = created["spec"]["template"]["metadata"].get("annotations", {})
    if annotations.get(f"container.apparmor.security.beta.kubernetes.io/{container['name']}") == "unconfined":
        options += ["--security-opt", "apparmor=unconfined"]
    if docker("run", "-d", "--name", pod_name(name), *OPTIONS, *options, container["image"], *container.get("args", [])) != 0:
        return
    probe = container["readinessProbe"]["exec"]["command"]
    while docker("exec", pod_name(name), *probe) != 0:
        if docker("inspect", "--format", "{{.State.Status}}", pod_name(name)) != 0:
            return
        threading.Event().wait(1)
    created["status"] = {"replicas": 1, "readyReplicas": 1}
    log.write(f"pod {pod_name(name)} is ready\n")


class Spdy:
    """The server's side of one SPDY connection with an exec request's streams: error, stdin, stdout and stderr.

    client-go creates them in this order, so that their headers, which are compressed, are not read."""

    def __init__(self, reader, writer, command):
        self.reader, self.writer, self.command = reader, writer, command
        self.lock = threading.Lock()
        self.compressor = zlib.compressobj()

    def control(self, kind, payload, flags=0):
        with self.lock:
            self.writer.write(struct.pack(">II", 0x80030000 | kind, flags << 24 | len(payload)) + payload)
            self.writer.flush()

    def data(self, stream, payload, flags=0):
        with self.lock:
            self.writer.write(struct.pack(">II", stream, flags << 24 | len(payload)) + payload)
            self.writer.flush()

    def reply(self, stream):
        block = self.compressor.compress(struct.pack(">I", 0)) + self.compressor.flush(zlib.Z_SYNC_FLUSH)
        self.control(SYN_REPLY, struct.pack(">I", stream) + block)

    def copy(self, pipe, stream):
        try:
            while chunk := os.read(pipe.fileno(), 65536):
                self.data(stream, chunk)
            self.data(stream, b"", FIN)
        except OSError:
            pass  # The client has closed the connection.

    def finish(self, process, copiers, stream):
        for copier in copiers:
            copier.join()
        status = process.wait()
        result = {"status": "Success"} if status == 0 else {
            "status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": str(status & 255)}]}}
        try:
            self.data(stream, json.dumps(result).encode(), FIN)
        except OSError:
            pass

    def serve(self):
        streams, process = [], None
        try:
            while len(head := self.reader.read(8)) == 8:
                first, second = struct.unpack(">II", head)
                flags, payload = second >> 24, self.reader.read(second & 0xffffff)
                kind = first & 0xffff
                if not first >> 31:
                    if process and len(streams) == 4 and first == streams[1]:
                        process.stdin.write(payload)
                        process.stdin.flush()
                        if flags & FIN:
                            process.stdin.close()
                elif kind == SYN_STREAM:
                    streams.append(struct.unpack(">I", payload[:4])[0])
                    self.reply(streams[-1])
                    if len(streams) == 4:
                        process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                        copiers = [threading.Thread(target=self.copy, args=pair, daemon=True)
                                   for pair in ((process.stdout, streams[2]), (process.stderr, streams[3]))]
                        for copier in copiers:
                            copier.start()
                        threading.Thread(target=self.finish, args=(process, copiers, streams[0]), daemon=True).start()
                elif kind == PING:
                    self.control(PING, payload)
                elif kind == GOAWAY:
                    break
        except (OSError, ValueError) as error:
            log.write(f"exec: {error}\n")
        finally:
            if process:
                try:
                    process.stdin.close()
                except OSError:
                    pass
                process.kill()
                process.wait()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, _, *args):
        log.write(f"{self.command} {self.path} {args[1]}\n")

    def answer(self, document, code=200):
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def fail(self, code, reason):
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": code}, code)

    def route(self):
        """The path's resource, name and subresource: /apis/apps/v1/namespaces/NAMESPACE/RESOURCE[/NAME[/SUBRESOURCE]]."""
        url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(url.query)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = url.path.split("/namespaces/", 1)
        if parts[0] not in ("/api/v1", "/apis/apps/v1") or len(parts) != 2:
            return None, None, None, body
        resource, name, sub = (parts[1].split("/")[1:] + [None] * 3)[:3]
        if resource != "pods" and (resource not in KINDS or KINDS[resource][0] != parts[0].split("/", 2)[2]):
            return None, None, None, body
        return resource, name, sub, body

    def do_GET(self):
        resource, name, _, _ = self.route()
        if resource == "pods" and name is None:
            wanted = dict(pair.split("=") for pair in self.query["labelSelector"][0].split(","))
            with lock:
                owners = [o for (kind, _), o in objects.items() if kind != "configmaps"]
            pods = [{"metadata": {"name": pod_name(o["metadata"]["name"]), "namespace": "default", "labels": labels},
                     "spec": {"containers": [{"name": c["name"], "image": c["image"]} for c in o["spec"]["template"]["spec"]["containers"]]},
                     "status": {"phase": "Running" if "status" in o else "Pending"}}
                    for o in owners if wanted.items() <= (labels := o["spec"]["template"]["metadata"]["labels"]).items()]
            self.answer({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods})
        elif (resource, name) in objects:
            self.answer(self.described(resource, objects[resource, name]))
        else:
            self.fail(404, "NotFound")

    def described(self, resource, created):
        version, kind = KINDS[resource]
        document = {"apiVersion": version, "kind": kind, "metadata": {"name": created["metadata"]["name"], "namespace": "default"}}
        if resource == "configmaps":
            return {**document, "data": created["data"]}
        labels = created["spec"]["template"]["metadata"]["labels"]
        return {**document, "spec": {"replicas": 1, "selector": created["spec"]["selector"], "template": {"metadata": {"labels": labels}}},
                "status": created.get("status", {})}

    def do_POST(self):
        resource, name, sub, body = self.route()
        if resource == "pods" and sub == "exec":
            self.exec(name)
        elif resource in KINDS and name is None:
            created = parse(body, self.headers["Content-Type"], resource)
            created.pop("status", None)
            key = resource, created["metadata"]["name"]
            with lock:
                if key in objects:
                    self.fail(409, "AlreadyExists")
                    return
                objects[key] = created
            if resource != "configmaps":
                threading.Thread(target=start, args=(resource, created), daemon=True).start()
            self.answer(self.described(resource, created), 201)
        else:
            self.fail(404, "NotFound")

    def do_DELETE(self):
        resource, name, _, _ = self.route()
        with lock:
            found = objects.pop((resource, name), None)
        if found is None:
            self.fail(404, "NotFound")
            return
        if resource != "configmaps":
            docker("stop", "--time", "30", pod_name(name))
            docker("rm", "-v", pod_name(name))
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def exec(self, pod):
        if self.headers.get("Upgrade") != "SPDY/3.1" or "v4.channel.k8s.io" not in str(self.headers.get_all("X-Stream-Protocol-Version")):
            self.fail(400, "BadRequest")
            return
        self.send_response(101)
        for name, value in (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", "v4.channel.k8s.io")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        log.write(f"exec {pod}: {' '.join(self.query['command'])}\n")
        Spdy(self.rfile, self.wfile, ["docker", "exec", "-i", pod, *self.query["command"]]).serve()


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "test",
              "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
              "users": [{"name": "test", "user": {}}],
              "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}]}
    with open(f"{DIR}/kubeconfig.new", "w") as f:
        json.dump(config, f)
    os.rename(f"{DIR}/kubeconfig.new", f"{DIR}/kubeconfig")
    server.serve_forever()


main()
