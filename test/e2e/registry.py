#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""registry: a registry that misbehaves, for the e2e tests. Prints its port and serves until it is killed.

    registry.py LOG [--tls CERT KEY [--client-ca CA] [--tls-max 1.1]]

The first component of a repository's name says what is wrong with it ("flip/x"); "ok/x" is a good image. LOG gets a line
a request: "METHOD PATH AUTHORIZATION". Requests below /elsewhere are those that a redirect or a URL led to. Files of the
directory $TARS are layers of the images "tar-FILE/x" and answer below /files.
"""
import gzip, hashlib, http.server, io, json, os, random, re, socket, socketserver, ssl, sys, tarfile, threading, time

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(files, fill=0):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, text in files.items():
            i = tarfile.TarInfo(name)
            i.size = len(text)
            t.addfile(i, io.BytesIO(text))
        if fill:
            i = tarfile.TarInfo("fill")
            i.size = fill
            t.addfile(i, io.BytesIO(random.Random(5).randbytes(fill)))
    return out.getvalue()


class Image:
    """Documents of one repository; blobs by digest. A change of anything goes before seal()."""

    def __init__(self, text, tar=None, blob=None):
        self.tar = tar if tar is not None else layer({"name": text.encode()}, 300_000)
        self.blob = blob if blob is not None else gzip.compress(self.tar, 1, mtime=0)
        self.config = {"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]},
                       "rootfs": {"type": "layers", "diff_ids": [digest(self.tar)]}}
        self.layers = [self.describe(LAYER, self.blob)]
        self.media_type = MANIFEST
        self.blobs = {}
        self.raw = None

    @staticmethod
    def describe(media_type, data):
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def seal(self):
        config = self.config if isinstance(self.config, bytes) else json.dumps(self.config).encode()
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.describe(CONFIG, config), "layers": self.layers}
        self.manifest = self.raw if self.raw is not None else json.dumps(manifest).encode()
        for data in (config, self.blob, self.manifest):
            self.blobs[digest(data)] = data
        return self


def with_(text, change, **more):
    image = Image(text, **more)
    change(image)
    return image.seal()


def sized(size):
    def change(i):
        i.layers[0]["size"] = size
    return change


def raw(data, media_type=MANIFEST):
    def change(i):
        i.raw, i.media_type = data, media_type
    return change


def index_of(image, depth=0, width=1):
    """An index of width equal entries, nested depth more times."""
    image.seal()
    entry = dict(image.describe(MANIFEST, image.manifest), platform={"os": "linux", "architecture": "amd64"})
    for _ in range(depth + 1):
        data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] * width}).encode()
        image.blobs[digest(data)] = data
        entry = dict(image.describe(INDEX, data))
    image.raw, image.media_type = data, INDEX


def claims(other):
    """The layers of this image under the diff id of another one."""
    def change(i):
        i.config["rootfs"]["diff_ids"] = other.config["rootfs"]["diff_ids"]
    return change


def images():
    honest = Image("honest").seal()
    good = json.loads(honest.manifest)

    def odd(name, blob_of):
        """A layer whose blob is made from the tar and from the tar zipped."""
        tar = layer({"name": name.encode()})
        return Image(name, tar=tar, blob=blob_of(tar, gzip.compress(tar, 9, mtime=0))).seal()

    table = {
        "ok": honest,
        "size-negative": with_("a", sized(-1)), "size-huge": with_("b", sized(1 << 60)), "size-less": with_("c", sized(1000)),
        "size-more": with_("d", lambda i: i.layers[0].update(size=len(i.blob) + 10)), "size-zero": with_("e", sized(0)),
        "size-text": with_("f", sized("7")), "size-real": with_("g", sized(1.5)),
        "claims": with_("thief", claims(honest)),
        "diff-fewer": with_("h", lambda i: i.config["rootfs"].update(diff_ids=[])),
        "diff-more": with_("i", lambda i: i.config["rootfs"]["diff_ids"].append(digest(b"x"))),
        "twice": with_("j", lambda i: (i.layers.append(i.layers[0]), i.config["rootfs"]["diff_ids"].append(digest(i.tar)))),
        "empty-layers": with_("k", lambda i: (i.layers.clear(), i.config["rootfs"].update(diff_ids=[]))),
        "not-json": with_("l", raw(b"<html>no</html>")), "no-bytes": with_("m", raw(b"")),
        "null-layers": with_("n", raw(json.dumps(dict(good, layers=None)).encode())),
        "deep": with_("o", raw(b"[" * 100_000)), "large": with_("p", raw(b'{"x":"' + b"a" * (9 << 20) + b'"}')),
        "twin-keys": with_("q", raw(honest.manifest[:-1] + b', "layers": []}')),
        "both": with_("r", raw(json.dumps(dict(good, manifests=[])).encode())),
        "wrong-type": with_("s", raw(honest.manifest, INDEX)),
        "trailing": with_("t", raw(honest.manifest + b"{}")),
        "config-text": with_("u", lambda i: setattr(i, "config", b"[]")),
        "config-deep": with_("v", lambda i: setattr(i, "config", b'{"a":' * 5000 + b"1" + b"}" * 5000)),
        "nested": with_("w", lambda i: index_of(i, depth=500)), "twelve": with_("x", lambda i: index_of(i, depth=12, width=10)),
        "wide": with_("y", lambda i: index_of(i, width=20_000)),
        "zstd-lie": with_("z", lambda i: i.layers[0].update(mediaType=LAYER.replace("gzip", "zstd"))),
        "raw-tar": odd("raw-tar", lambda tar, zipped: tar),
        "members": odd("members", lambda tar, zipped: gzip.compress(tar[:700]) + gzip.compress(tar[700:])),
        "gzip-tail": odd("gzip-tail", lambda tar, zipped: zipped + b"\0" * 99 + b"tail"),
        "gzip-cut": odd("gzip-cut", lambda tar, zipped: zipped[:-5]),
        "gzip-flip": odd("gzip-flip", lambda tar, zipped: zipped[:-6] + bytes([zipped[-6] ^ 255]) + zipped[-5:]),
        "urls": with_("urls", lambda i: i.layers[0].update(urls=["http://127.0.0.1:1/steal", "file:///etc/passwd"])),
    }
    for n, bad in enumerate(("sha256:../../x", "sha256:abc", "sha256:" + "A" * 64, "md5:" + "0" * 32, "", "../../../etc/passwd")):
        table[f"digest{n}"] = with_("digest", lambda i, bad=bad: i.layers[0].update(digest=bad))
        table[f"diff-id{n}"] = with_("digest", lambda i, bad=bad: i.config["rootfs"].update(diff_ids=[bad]))
    if os.environ.get("TARS"):
        for name in sorted(os.listdir(os.environ["TARS"])):
            data = open(os.path.join(os.environ["TARS"], name), "rb").read()
            table[f"tar-{name}"] = Image("tar", tar=data).seal()
    return table


IMAGES = images()
MOVED = Image("moved").seal()
LOG = open(sys.argv[1], "a", buffering=1)
LOCK = threading.RLock()
SEEN = {}


def image_of(mode):
    """Each transport fault has a separate image, so that no blob is cached."""
    with LOCK:
        if mode not in IMAGES:
            IMAGES[mode] = Image(mode).seal()
        return IMAGES[mode]


def nth(what):
    with LOCK:
        SEEN[what] = SEEN.get(what, 0) + 1
        return SEEN[what]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def answer(self, status, body=b"", head=(), length=None):
        self.send_response(status)
        for name, value in head:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status, head=()):
        self.answer(status, json.dumps({"errors": [{"code": "UNKNOWN", "message": "injected"}]}).encode(), head)

    def setup(self):
        try:
            super().setup()
        except (OSError, ssl.SSLError):
            pass

    def handle(self):
        try:
            super().handle()
        except (OSError, ssl.SSLError):
            pass

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self):
        LOG.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-')}\n")
        path = self.path.split("?")[0]
        if path.startswith("/token/") and self.command == "POST":
            return self.fail(405)
        if path.startswith("/token/"):
            return self.token(path.split("/")[2])
        if path.startswith("/files/"):
            with open(os.path.join(os.environ["TARS"], os.path.basename(path)), "rb") as f:
                return self.answer(200, f.read())
        if path.startswith("/elsewhere/"):
            return self.blob(path.split("/")[2], path.split("/")[-1])
        m = re.fullmatch(r"/v2/([^/]+)/.*/(manifests|blobs)/([^/]+)", path)
        if not m:
            return self.fail(404)
        mode, kind, name = m.groups()
        if mode.startswith("auth-") and not self.authorized(mode):
            return None
        return self.manifest(mode, name) if kind == "manifests" else self.blob(mode, name)

    # ---- credentials

    def authorized(self, mode):
        sent = self.headers.get("Authorization", "")
        here = "%s://%s" % ("https" if SCHEME == "https" else "http", self.headers["Host"])
        if mode in ("auth-basic", "auth-redirect") and sent == "Basic a2l0OnNlY3JldA==":
            return True
        if mode in ("auth-token", "auth-short") and sent == "Bearer good":
            return True
        challenge = {
            "auth-basic": 'Basic realm="kit"', "auth-redirect": 'Basic realm="kit"',
            "auth-foreign": 'Bearer realm="http://127.0.0.2:%d/token/auth-token",service="kit"' % PORT,
            "auth-link-local": 'Bearer realm="http://169.254.169.254/latest",service="kit"',
            "auth-file": 'Bearer realm="file:///etc/passwd",service="kit"',
            "auth-broken": 'Bearer realm="' + "x" * 5000,
        }.get(mode, f'Bearer realm="{here}/token/{mode}",service="kit"')
        self.fail(401, [("WWW-Authenticate", challenge)])
        return False

    def token(self, mode):
        text = {
            "auth-empty": "{}", "auth-large": json.dumps({"token": "x" * (10 << 20)}),
            "auth-crlf": json.dumps({"token": "a\r\nX-Injected: yes"}), "auth-text": "token",
            "auth-short": json.dumps({"token": "good", "expires_in": -100}),
            "auth-loop": json.dumps({"token": "never"}),
        }.get(mode, json.dumps({"token": "good", "expires_in": 300}))
        self.answer(200, text.encode(), [("Content-Type", "application/json")])

    # ---- documents

    def manifest(self, mode, name):
        image = image_of(mode)
        if name.startswith("sha256:"):
            data = image.blobs.get(name) or MOVED.blobs.get(name)
            if data is None:
                return self.fail(404)
            kind = INDEX if b'"manifests": [' in data[:200] else MANIFEST
        else:
            data, kind = image.manifest, image.media_type
        head = [("Content-Type", kind), ("Docker-Content-Digest", digest(data))]
        if mode == "digest-lies":
            head[1] = ("Docker-Content-Digest", digest(b"something else"))
        if mode == "digest-grammar":
            head[1] = ("Docker-Content-Digest", "sha256:../../../x")
        if mode == "moves" and not name.startswith("sha256:") and nth("moves") > 1:
            data, head = MOVED.manifest, [("Content-Type", MANIFEST), ("Docker-Content-Digest", digest(MOVED.manifest))]
        if mode in ("500", "502", "503", "504"):
            return self.fail(int(mode))
        if mode == "503-once" and nth(mode) == 1:
            return self.fail(503)
        if mode == "429-once" and nth(mode) == 1:
            return self.fail(429, [("Retry-After", "1")])
        if mode == "429-garbage" and nth(mode) == 1:
            return self.fail(429, [("Retry-After", "soon")])
        if mode == "429-hour":
            return self.fail(429, [("Retry-After", "3600")])
        if mode == "reset-once" and nth(mode) == 1:
            return self.connection.shutdown(socket.SHUT_RDWR)
        if mode == "loop":
            return self.answer(302, head=[("Location", self.path)])
        if mode.startswith("to-"):
            return self.answer(302, head=[("Location", {"to-file": "file:///etc/passwd", "to-gopher": "gopher://127.0.0.1:1/x",
                                                        "to-odd": "//", "to-none": "\x01"}[mode])])
        if mode.startswith("silent"):
            return time.sleep(600)
        return self.answer(200, data, head)

    # ---- blobs

    def blob(self, mode, name):
        data = image_of(mode).blobs.get(name) or MOVED.blobs.get(name)
        if data is None:
            return self.fail(404)
        if self.path.startswith("/v2/moves") or len(data) < 1000:
            return self.answer(200, data)  # a config
        start = 0
        m = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if m and mode != "cut-norange":
            start = int(m[1])
        status, head = (206, [("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")]) if start else (200, [])
        part = data[start:]
        if (mode in ("cut", "cut-norange") and nth(mode) == 1) or mode == "cut-always":
            self.close_connection = True
            return self.answer(status, part[: len(part) // 2 if mode != "cut-always" else 100], head, len(part))
        if mode == "flip":
            part = part[:5000] + bytes([part[5000] ^ 1]) + part[5001:]
        if mode == "endless":
            return self.endless()
        if mode == "auth-redirect" and self.path.startswith("/v2/"):
            return self.answer(307, head=[("Location", f"{SCHEME}://127.0.0.2:{PORT}/elsewhere/{mode}/{name}")])
        if mode == "stall":
            self.close_connection = True
            self.answer(200, part[: len(part) // 2], head, len(part))
            return time.sleep(600)
        if mode == "drip":
            self.answer(status, b"", head, len(part))
            for b in part:
                self.wfile.write(bytes([b]))
                self.wfile.flush()
                time.sleep(1)
            return None
        return self.answer(status, part, head)

    def endless(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent, end = 0, time.time() + 10
        try:
            while time.time() < end:
                self.wfile.write(b"10000\r\n" + b"\0" * 65536 + b"\r\n")
                sent += 65536
        finally:
            LOG.write(f"endless sent {sent}\n")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        pass


def option(name, count=1):
    if name not in sys.argv:
        return None
    at = sys.argv.index(name)
    return sys.argv[at + 1] if count == 1 else sys.argv[at + 1:at + 1 + count]


server = Server(("0.0.0.0", 0), Handler)
PORT = server.server_address[1]
SCHEME = "http"
files = option("--tls", 2)
if files:
    SCHEME = "https"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    if option("--client-ca"):
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(option("--client-ca"))
    if option("--tls-max"):
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = {"1.1": ssl.TLSVersion.TLSv1_1}[option("--tls-max")]
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(PORT, flush=True)
server.serve_forever()
