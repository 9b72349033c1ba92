#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llb: a definition for `buildctl build` out of JSON, so that tests can say what no Dockerfile can.

    llb.py < FILE.json > FILE.llb

    {"ops": [{"source": {"identifier": "local://context"}},
             {"in": [[0, 0]], "file": {"actions": [{"input": 0, "secondaryInput": -1, "output": 0,
                                                    "mkdir": {"path": "/d", "mode": 493}}]}}],
     "meta": {"1": {"ignore_cache": true}}, "result": [1, 0]}

"source" may say where ops come from: {"filename": "x", "data": "...", "lines": {"1": [[2, 3], [7, 7]]}}, one location a pair.
"in" names ops of the list by place and output. Members are named as in ops.proto.
"""
import hashlib, json, sys

OWNER = {"user": (1, "User"), "group": (2, "User")}
TYPES = {
    "Input": {"digest": (1, "s"), "index": (2, "i")},
    "Op": {"inputs": (1, "*Input"), "platform": (10, "Platform"), "constraints": (11, "Empty"), "exec": (2, "Exec"),
           "source": (3, "Source"), "file": (4, "File"), "build": (5, "Build"), "merge": (6, "Merge"), "diff": (7, "Diff"), "passthrough": (8, "Passthrough")},
    "Empty": {},
    "Platform": {"Architecture": (1, "s"), "OS": (2, "s")},
    "Source": {"identifier": (1, "s"), "attrs": (2, "map")},
    "Exec": {"meta": (1, "Meta"), "mounts": (2, "*Mount"), "network": (3, "i"), "secretenv": (5, "*SecretEnv")},
    "Meta": {"args": (1, "*s"), "env": (2, "*s"), "cwd": (3, "s"), "user": (4, "s"), "removeMountStubsRecursive": (11, "i"),
             "validExitCodes": (12, "packed")},
    "Mount": {"input": (1, "i"), "selector": (2, "s"), "dest": (3, "s"), "output": (4, "i"), "readonly": (5, "i"),
              "mountType": (6, "i"), "cacheOpt": (20, "Cache"), "secretOpt": (21, "Secret")},
    "Cache": {"ID": (1, "s"), "sharing": (2, "i")},
    "Secret": {"ID": (1, "s"), "uid": (2, "i"), "gid": (3, "i"), "mode": (4, "i"), "optional": (5, "i")},
    "SecretEnv": {"ID": (1, "s"), "name": (2, "s"), "optional": (3, "i")},
    "File": {"actions": (2, "*Action")},
    "Action": {"input": (1, "i"), "secondaryInput": (2, "i"), "output": (3, "i"), "copy": (4, "Copy"), "mkfile": (5, "MkFile"),
               "mkdir": (6, "MkDir"), "rm": (7, "Rm"), "symlink": (8, "Symlink")},
    "Copy": {"src": (1, "s"), "dest": (2, "s"), "owner": (3, "Owner"), "mode": (4, "i"), "followSymlink": (5, "i"),
             "dirCopyContents": (6, "i"), "createDestPath": (8, "i"), "allowWildcard": (9, "i"), "timestamp": (11, "i")},
    "MkFile": {"path": (1, "s"), "mode": (2, "i"), "data": (3, "s"), "owner": (4, "Owner"), "timestamp": (5, "i")},
    "MkDir": {"path": (1, "s"), "mode": (2, "i"), "makeParents": (3, "i"), "owner": (4, "Owner"), "timestamp": (5, "i")},
    "Rm": {"path": (1, "s"), "allowNotFound": (2, "i"), "allowWildcard": (3, "i")},
    "Symlink": {"oldpath": (1, "s"), "newpath": (2, "s"), "timestamp": (4, "i")},
    "Owner": OWNER, "User": {"byName": (1, "Named"), "byID": (2, "i")}, "Named": {"name": (1, "s"), "input": (2, "i")},
    "Merge": {"inputs": (1, "*One")}, "Diff": {"lower": (1, "One"), "upper": (2, "One")}, "One": {"input": (1, "i")},
    "Build": {"builder": (1, "i"), "inputs": (2, "*BuildEntry"), "attrs": (4, "map")},
    "BuildEntry": {"key": (1, "s"), "value": (2, "BuildInput")}, "BuildInput": {"input": (1, "i")},
    "Passthrough": {"id": (1, "s"), "outputs": (2, "packed")},
    "Metadata": {"ignore_cache": (1, "i"), "description": (2, "map"), "caps": (5, "set")},
    "Locations": {"locations": (1, "*Location")}, "Location": {"ranges": (2, "*Range")},
    "Range": {"start": (1, "Position"), "end": (2, "Position")}, "Position": {"line": (1, "i")},
    "Info": {"filename": (1, "s"), "data": (2, "s")},
}


def varint(n):
    n, out = n & (1 << 64) - 1, b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def value(number, kind, v):
    if kind == "i":
        return varint(number << 3) + varint(int(v)) if v else b""
    if kind == "s":
        return field(number, v.encode())
    if kind == "packed":
        return field(number, b"".join(varint(i) for i in v))
    if kind == "set":
        return b"".join(field(number, field(1, k.encode()) + varint(2 << 3) + b"\1") for k in sorted(v))
    if kind == "map":
        return b"".join(field(number, field(1, k.encode()) + field(2, v[k].encode())) for k in sorted(v))
    return field(number, message(kind, v))


def message(kind, members):
    out = b""
    for name, (number, of) in TYPES[kind].items():
        if name not in members:
            continue
        each = members[name] if of.startswith("*") else [members[name]]
        out += b"".join(value(number, of.lstrip("*"), v) for v in each)
    return out


def main():
    spec = json.load(sys.stdin)
    ops, digests = [], []

    def add(op, inputs):
        op = {"constraints": {}, **op, "inputs": [{"digest": digests[i], "index": n} for i, n in inputs]}
        ops.append(message("Op", op))
        digests.append("sha256:" + hashlib.sha256(ops[-1]).hexdigest())

    for op in spec["ops"]:
        members = {k: v for k, v in op.items() if k != "in"}
        if "exec" in members:
            members["platform"] = {"Architecture": "amd64", "OS": "linux"}
        add(members, op.get("in", []))
    add({}, [spec["result"]])
    out = b"".join(field(1, op) for op in ops)
    for place, meta in spec.get("meta", {}).items():
        out += field(2, field(1, digests[int(place)].encode()) + field(2, message("Metadata", meta)))
    if "source" in spec:
        of = spec["source"]
        source = b"".join(field(1, field(1, digests[int(place)].encode()) + field(2, message("Locations", {
            "locations": [{"ranges": [{"start": {"line": a}, "end": {"line": b}}]} for a, b in pairs]})))
            for place, pairs in of["lines"].items())
        out += field(3, source + field(2, message("Info", of)))
    sys.stdout.buffer.write(out)


if __name__ == "__main__":
    main()
