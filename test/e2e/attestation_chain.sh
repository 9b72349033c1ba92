# SPDX-License-Identifier: Apache-2.0
# ResolveSourceMeta with the attestation chain of an image in a registry that keeps referrers in tags.
registry=$(command -v docker-registry || true)
[ -n "$registry" ] || skip "no docker-registry"
make_context "$WORK/c"
port=$((20000 + $$ % 20000))
cat > "$WORK/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $WORK/registry}}
http: {addr: "127.0.0.1:$port"}
YAML
"$registry" serve "$WORK/registry.yml" > "$WORK/registry.out" 2>&1 &
undo "kill $!"
await python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))"
start_daemon
printf 'FROM scratch\nCOPY base /base\n' > "$WORK/c/Dockerfile"
build "$WORK/c" --opt attest:provenance=mode=max,version=v1 --output type=image,name="127.0.0.1:$port/a:with",push=true > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "push"; }
build "$WORK/c" --output type=image,name="127.0.0.1:$port/a:without",push=true > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "push"; }

cat > "$WORK/driver.py" <<'PYTHON'
import hashlib, http.client, json, os, sys
sys.path.insert(0, os.environ["HERE"])
import bridge
from llb import field, varint
sock, host = sys.argv[1], sys.argv[2]
MANIFEST, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
BUNDLE, SLSA = "application/vnd.dev.sigstore.bundle.v0.3+json", b"https://slsa.dev/provenance/v1"

def ask(method, path, body=None, headers={}):
    c = http.client.HTTPConnection(host)
    c.request(method, path, body, headers)
    r = c.getresponse()
    data = r.read()
    assert r.status < 300, (method, path, r.status, data)
    return r, data

def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()

def put_blob(data):
    r, _ = ask("POST", "/v2/a/blobs/uploads/")
    where = r.getheader("Location")
    where = where[where.index("/v2/"):]
    ask("PUT", where + ("&" if "?" in where else "?") + "digest=" + digest(data), data, {"Content-Type": "application/octet-stream"})
    return {"mediaType": "application/octet-stream", "digest": digest(data), "size": len(data)}

def put_manifest(name, media_type, **members):
    data = json.dumps({"schemaVersion": 2, "mediaType": media_type, **members}).encode()
    ask("PUT", "/v2/a/manifests/" + (name or digest(data)), data, {"Content-Type": media_type})
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

def chain(tag, *types):
    """The chain of a reply: digests and blobs; None for an error."""
    image = varint(8) + varint(1) + varint(16) + varint(1) + b"".join(field(3, t) for t in types)
    reply = build.call("ResolveSourceMeta", field(1, field(1, f"docker-image://{host}/a:{tag}".encode())) + field(6, image))
    if reply is None:
        return None
    return dict(parts(dict(parts(reply))[2]))[3]

def parts(data):
    at = 0
    def number():
        nonlocal at
        n = shift = 0
        while True:
            byte, at = data[at], at + 1
            n, shift = n | (byte & 127) << shift, shift + 7
            if byte < 128:
                return n
    while at < len(data):
        key = number()
        if key & 7 == 0:
            yield key >> 3, number()
        else:
            n = number()
            yield key >> 3, data[at:at + n]
            at += n

def blobs(c):
    return {dict(parts(b))[1].decode(): dict(parts(dict(parts(b))[2])) for f, b in parts(c) if f == 5}

build = bridge.Build(sock)
index = json.loads(ask("GET", "/v2/a/manifests/with", headers={"Accept": INDEX})[1])
image, attestation = index["manifests"]
c = chain("with")
d = dict(parts(c))
assert (d[2].decode(), d[3].decode()) == (image["digest"], attestation["digest"])
assert 4 not in d
assert set(blobs(c)) == {d[1].decode(), attestation["digest"]}
assert json.loads(blobs(c)[d[1].decode()][2]) == index
layer = json.loads(blobs(c)[attestation["digest"]][2])["layers"][0]

# The statement of a requested type.
c = chain("with", b"https://other", SLSA)
assert set(blobs(c)) == {d[1].decode(), attestation["digest"], layer["digest"]}
statement = blobs(c)[layer["digest"]][2]
assert digest(statement) == layer["digest"]
assert json.loads(statement)["subject"][0]["digest"]["sha256"] == image["digest"].split(":")[1]

# A signature, listed in the tag that stands for the referrers.
tag = attestation["digest"].replace(":", "-")
bundle = {**put_blob(b'{"bundle":1}'), "mediaType": BUNDLE}
config = {**put_blob(b"{}"), "mediaType": "application/vnd.oci.empty.v1+json"}
signature = put_manifest("signature", MANIFEST, artifactType=BUNDLE, config=config, layers=[bundle], subject=attestation)
put_manifest(tag, INDEX, manifests=[{**signature, "artifactType": BUNDLE}])
c = chain("with")
assert dict(parts(c))[4].decode() == signature["digest"]
assert blobs(c)[bundle["digest"]][2] == b'{"bundle":1}'
assert len(blobs(c)) == 4

# A manifest instead of the list: this registry does not send it as an index.
put_manifest(tag, MANIFEST, config=config, layers=[bundle])
assert 4 not in dict(parts(chain("with")))
put_manifest(tag, INDEX, manifests=[])
assert 4 not in dict(parts(chain("with")))
# Images without attestations.
c = chain("without")
assert 3 not in dict(parts(c)), c
assert len(blobs(c)) == 1, (c, blobs(c))
assert chain("missing") is None
build.close()
PYTHON
HERE=$HERE python3 "$WORK/driver.py" "$WORK/sock" "127.0.0.1:$port" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "attestation chains"; }
alive
