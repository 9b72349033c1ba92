# SPDX-License-Identifier: Apache-2.0
# Attestations in the result of a client: in-toto and bundles in an image, and results that are refused. The images are
# read from the build history.
start_daemon
cat > "$WORK/driver.py" <<'PYTHON'
import hashlib, json, os, subprocess, sys
sys.path.insert(0, os.environ["HERE"])
import bridge
from llb import field, varint

sock, bin = sys.argv[1:]
IN_TOTO, BUNDLE, SELF, RAW = 0, 1, 0, 1
PLATFORM = "linux/amd64"

def number(n, value):
    return varint(n << 3) + varint(value) if value else b""

def text(n, value):
    return field(n, value.encode())

def entry(n, key, value):
    return field(n, text(1, key) + field(2, value))

def definition(*actions):
    spec = {"ops": [{"file": {"actions": [{"input": i - 1, "secondaryInput": -1, "output": 0 if i == len(actions) - 1 else -1, **a}
                                          for i, a in enumerate(actions)]}}], "result": [0, 0]}
    return subprocess.run([sys.executable, os.environ["HERE"] + "/llb.py"], input=json.dumps(spec).encode(), capture_output=True,
                          check=True).stdout

def parts(data):
    at = 0
    def read():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n
    while at < len(data):
        tag = read()
        value = read()
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        yield tag >> 3, value

def mkfile(path, data):
    return {"mkfile": {"path": path, "mode": 0o644, "data": data}}

def mkdir(path):
    return {"mkdir": {"path": path, "mode": 0o755}}

def link(path, to):
    return {"symlink": {"oldpath": to, "newpath": path}}

TREE = definition(mkfile("/f", "content"))
count = 0

def buildctl(*args):
    return subprocess.run([bin + "/buildctl", *args], capture_output=True, check=True).stdout

def build(*attestations, key=PLATFORM, ref=None):
    """Returns the error of the build, or None, and the statements of the image."""
    global count
    count += 1
    name = "attested-%d" % count
    b = bridge.Build(sock, name, field(13, text(1, "image") + field(2, text(1, "name") + text(2, "h/n:1"))))
    def solve(tree):
        reply = dict(parts(b.call("Solve", field(1, tree) + number(5, 1) + number(6, 1))))
        return dict(parts(dict(parts(reply[3]))[3]))[1].decode()
    wire = b""
    for a in attestations:
        m = number(1, a.get("kind", IN_TOTO))
        for k, v in a.get("metadata", {}).items():
            m += entry(2, k, v)
        if "tree" in a:
            m += field(3, text(1, solve(definition(*a["tree"]))))
        if "ref" in a:
            m += field(3, text(1, a["ref"]))
        m += text(4, a.get("path", "")) + text(5, a.get("type", ""))
        for s in a.get("subjects", []):
            m += field(6, number(1, s.get("kind", SELF)) + b"".join(text(2, d) for d in s.get("digests", [])) + text(3, s.get("name", "")))
        wire += field(1, m)
    config = b'{"architecture":"amd64","os":"linux"}'
    platforms = json.dumps({"Platforms": [{"ID": PLATFORM, "Platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
    result = field(3, text(1, solve(TREE))) + entry(10, "containerimage.config", config) + entry(10, "refs.platforms", platforms)
    if wire:
        result += entry(12, key, wire)
    if b.call("Return", field(1, result)) is None:
        b.call("Return", field(1, b"")) # a client that was refused gives another result
        b.wait()
        b.close()
        return "Return was refused", []
    b.wait()
    b.close()
    for line in buildctl("debug", "histories", "--format", "{{json .}}").decode().splitlines():
        record = json.loads(line)["record"]
        if record["Ref"] == name:
            break
    else:
        raise Exception("no record of " + name)
    build.warnings = record.get("numWarnings", 0)
    if record.get("error", {}).get("message"):
        return record["error"]["message"], []
    root = (record.get("Result") or {}).get("ResultDeprecated") or list(record["Result"]["Results"].values())[0]
    top = json.loads(buildctl("debug", "get", root["digest"]))
    statements = []
    for m in top.get("manifests", []):
        if m.get("annotations", {}).get("vnd.docker.reference.type") == "attestation-manifest":
            build.image = m["annotations"]["vnd.docker.reference.digest"]
            manifest = json.loads(buildctl("debug", "get", m["digest"]))
            for l in manifest["layers"]:
                data = buildctl("debug", "get", l["digest"])
                s = json.loads(data)
                assert l["annotations"]["in-toto.io/predicate-type"] == s["predicateType"], (l, s)
                statements.append(s)
    return None, statements

def must(error, got):
    if error != got:
        sys.exit("%s\ninstead of\n%s" % (got, error))

STATEMENT = '{"predicateType": "https://x/%s", "predicate": {"n": "%s"}%s}'

# ---- in-toto with both kinds of subjects, and a bundle; the SBOM of the result comes first
error, found = build(
    {"tree": [mkfile("/a", '{"ok": true}')], "path": "/a", "type": "https://x/1", "subjects": [
        {"kind": SELF}, {"kind": SELF, "name": "other"}, {"kind": RAW, "name": "raw", "digests": ["sha256:aa", "sha512:bb"]}, {"kind": RAW}]},
    {"kind": BUNDLE, "path": "/d", "tree": [mkdir("/d"), mkfile("/d/2", STATEMENT % (2, "two", "")),
        mkfile("/d/3", STATEMENT % (3, "three", ', "subject": [{"name": "s", "digest": {"gitCommit": "cc"}}]')), link("/d/4", "2")]},
    {"kind": BUNDLE, "metadata": {"sbom-core": b"core"}, "tree": [mkfile("/other", STATEMENT % (5, "five", "")), mkfile("/core.json", STATEMENT % (6, "six", ""))]},
    {"tree": [mkfile("/empty", "")], "path": "empty", "type": "https://x/7"})
must(None, error)
image = {"name": "pkg:docker/h/n@1?platform=linux%2Famd64", "digest": {"sha256": build.image.split(":")[1]}}
other = {"name": "other", "digest": image["digest"]}
must([["https://x/6", {"n": "six"}, [image]],
      ["https://x/1", {"ok": True}, [image, image, other, {"name": "raw", "digest": {"sha256": "aa", "sha512": "bb"}}, {"name": "_", "digest": {}}]],
      ["https://x/2", {"n": "two"}, [image]],
      ["https://x/3", {"n": "three"}, [{"name": "s", "digest": {"gitCommit": "cc"}}]],
      ["https://x/2", {"n": "two"}, [image]],
      ["https://x/5", {"n": "five"}, [image]],
      ["https://x/7", None, [image]]],
     [[s["predicateType"], s["predicate"], s["subject"]] for s in found])

# ---- without statements there is no attestation manifest; attestations for another platform are not exported
must((None, []), build({"kind": BUNDLE, "tree": [mkdir("/d")], "path": "/d"}))
must(0, build.warnings)
must((None, []), build({"tree": [mkfile("/a", "1")], "path": "a", "type": "t"}, key="linux/s390x"))
must(1, build.warnings)

# ---- refused
FILE = [mkfile("/a", "{}")]
PREFIX = "attestation of linux/amd64: "
for text_wanted, a in [
    ("frontend may not set provenance attestations", {"tree": FILE, "path": "/a", "type": "https://slsa.dev/provenance/v1"}),
    ("frontend may not bundle provenance attestations",
     {"kind": BUNDLE, "tree": [mkfile("/a", '{"predicateType": "https://slsa.dev/provenance/v0.2"}')]}),
    ("attestation does not have set path", {"tree": FILE, "type": "t"}),
    ("attestation does not have available content", {"path": "/a", "type": "t"}),
    ("attestation does not have available content", {"kind": BUNDLE}),
    ("cannot read in-toto attestation: open /b: no such file or directory", {"tree": FILE, "path": "/b"}),
    ("cannot read in-toto attestation: open ../../../etc/passwd: no such file or directory", {"tree": FILE, "path": "../../../etc/passwd"}),
    ("cannot read in-toto attestation: open /l: no such file or directory", {"tree": [link("/l", "/etc/passwd")], "path": "/l"}),
    ("cannot read in-toto attestation: /d is not a regular file", {"tree": [mkdir("/d")], "path": "/d"}),
    ("failed to parse /a: expected a string at offset 1", {"tree": [mkfile("/a", "{a}")], "path": "/a"}),
    ("failed to parse /a: unexpected text after the value at offset 2", {"tree": [mkfile("/a", "1 2")], "path": "/a"}),
    ("/a is nested more than 64 levels deep", {"tree": [mkfile("/a", "[" * 100)], "path": "/a"}),
    ("open /a: not a directory", {"kind": BUNDLE, "tree": FILE, "path": "/a"}),
    ("open /b: no such file or directory", {"kind": BUNDLE, "tree": FILE, "path": "/b"}),
    ("bundle entry https://x/1 does not match required predicate type https://y",
     {"kind": BUNDLE, "type": "https://y", "tree": [mkfile("/a", STATEMENT % (1, "", ""))]}),
    ("cannot decode in-toto statement: \"subject\" has another type", {"kind": BUNDLE, "tree": [mkfile("/a", '{"subject": 1}')]}),
    ("the SBOM generator wrote no documents", {"kind": BUNDLE, "tree": [mkdir("/d")], "path": "/d", "metadata": {"reason": b"sbom"}}),
]:
    must((PREFIX + text_wanted, []), build(a))
for a in [{"ref": "nosuch", "path": "/a"}, {"kind": 9, "tree": FILE, "path": "/a"}, {"tree": FILE, "path": "/a", "subjects": [{"kind": 5}]},
          {"tree": FILE, "path": "/a", "subjects": [{"kind": RAW, "digests": ["aa"]}]}]:
    must(("Return was refused", []), build(a))
print(count, "results")
PYTHON
HERE="$HERE" python3 "$WORK/driver.py" "$WORK/sock" "$BIN" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "attestations"; }
grep -qx '24 results' "$WORK/said" || { cat "$WORK/said"; fail "fewer results"; }
alive
no_leftovers
