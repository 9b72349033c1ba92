# SPDX-License-Identifier: Apache-2.0
# Inputs of merge, diff and passthrough ops in every order and with repetitions: the place of an input in the op decides,
# as with upstream, not the index that the merge or diff names it by. Definitions without ops are scratch.
start_daemon
cat > "$WORK/cases.py" <<'PYTHON'
import itertools, json, os, subprocess, sys
work, here, bin = sys.argv[1:]

# Different lengths, because comparisons of trees take files of equal length and time as equal.
texts = {"x": "x", "y": "yy", "z": "zzz"}

def file_op(name):
    def mkfile(path, into, out):
        return {"input": into, "secondaryInput": -1, "output": out,
                "mkfile": {"path": path, "mode": 0o644, "data": texts[name], "timestamp": -1}}
    return {"file": {"actions": [mkfile("/" + name, -1, -1), mkfile("/common", 0, 0)]}}

def build(spec, expect_failure=None):
    llb = subprocess.run([sys.executable, here + "/llb.py"], input=json.dumps(spec).encode(), capture_output=True, check=True).stdout
    out = f"{work}/out{build.n}"
    build.n += 1
    ran = subprocess.run([bin + "/buildctl", "build", "--progress=plain", "--output", "type=local,dest=" + out], input=llb,
                         capture_output=True, timeout=60)
    if expect_failure:
        assert ran.returncode == 1 and expect_failure in ran.stderr.decode(), (spec, ran.stderr.decode())
        return None
    assert ran.returncode == 0, (spec, ran.stderr.decode())
    return out
build.n = 0

names = ["x", "y", "z"]
files = [file_op(n) for n in names]
# Every case is an op on the files; a file op copies the results into separate directories.
ops, cases = [], []

def case(want, *more, index=0):
    ops.extend(more)
    cases.append((want, len(ops) + len(files) - 1, index))

def common(*names):
    return {"common": texts[names[-1]], **{n: texts[n] for n in names}}

# Op inputs in all orders and with repetitions; indices in several orders.
for places in [p for n in (2, 3) for p in itertools.product(range(3), repeat=n) if len(set(p)) > 1]:
    for indices in (list(range(len(places)))[::-1], [0] * len(places)):
        case(common(*[names[i] for i in places]),
             {"in": [[i, 0] for i in places], "merge": {"inputs": [{"input": i} for i in indices]}})
# The lower side is the first input, independent of its index.
for lower, upper in ((0, 1), (1, 0)):
    both = {"in": [[0, 0], [1, 0]], "merge": {"inputs": [{"input": 0}, {"input": 1}]}}
    case(common("y"), both, {"in": [[0, 0], [len(files) + len(ops), 0]], "diff": {"lower": {"input": lower}, "upper": {"input": upper}}})
case(common("y"), {"in": [[1, 0]], "diff": {"lower": {"input": -1}, "upper": {"input": 0}}})
case({}, {"in": [[1, 0]], "diff": {"lower": {"input": 0}, "upper": {"input": -1}}})
# Outputs of a passthrough are inputs by index.
for outputs in ([0], [1], [2, 0], [1, 1], [2, 1, 0]):
    for index, place in enumerate(outputs):
        case(common(names[place]), {"in": [[0, 0], [1, 0], [2, 0]], "passthrough": {"id": "p%s" % outputs, "outputs": outputs}}, index=index)
actions = []
for n, (want, op, index) in enumerate(cases):
    actions.append({"input": len(cases) + len(actions) - 1 if actions else -1, "secondaryInput": n, "output": -1,
                    "copy": {"src": "/", "dest": "/c%d" % n, "mode": -1, "dirCopyContents": 1, "createDestPath": 1, "timestamp": -1}})
actions[-1]["output"] = 0
spec = {"ops": files + ops + [{"in": [[op, index] for want, op, index in cases], "file": {"actions": actions}}],
        "result": [len(files) + len(ops), 0],
        "meta": {str(op): {"caps": ["passthroughop"]} for want, op, index in cases if "passthrough" in (files + ops)[op]}}
out = build(spec)
for n, (want, op, index) in enumerate(cases):
    got = {name: open(f"{out}/c{n}/{name}").read() for name in os.listdir(f"{out}/c{n}")}
    assert got == want, ((files + ops)[op], index, got)
print(len(cases), "cases")
build({"ops": files + [{"in": [[0, 0], [1, 0]], "merge": {"inputs": [{"input": 1}]}}], "result": [3, 0]}, "merge op uses 1 of its 2 inputs")
diff = {"in": [[1, 0]], "diff": {"lower": {"input": 0}, "upper": {"input": 0}}}
build({"ops": files + [diff], "result": [3, 0]}, "invalid upper input index 1 for diff op with 1 inputs")
# A diff of scratch and scratch is scratch.
for diff in ({"in": [[1, 0], [1, 0]], "diff": {"lower": {"input": 0}, "upper": {"input": 1}}},
             {"in": [], "diff": {"lower": {"input": -1}, "upper": {"input": -1}}}):
    assert os.listdir(build({"ops": files + [diff], "result": [3, 0]})) == []
PYTHON
python3 "$WORK/cases.py" "$WORK" "$HERE" "$BIN" || fail "inputs"

# Scratch, as a definition without ops; a client that waits for it gets an answer.
: > "$WORK/empty.llb"
solve() { python3 "$HERE/peer.py" solve "$WORK/sock" "$@" | cut -d ' ' -f 1; }
[ "$(solve "$WORK/empty.llb")" -ge 5 ] || fail "a definition without ops"
# A missing input is an error, not a result without it.
echo '{"ops": [{"file": {"actions": [{"input": -1, "secondaryInput": -1, "output": 0, "mkdir": {"path": "/d", "mode": 493}}]}}],
	"result": [0, 0]}' | python3 "$HERE/llb.py" > "$WORK/plain.llb"
[ "$(solve "$WORK/plain.llb")" -ge 5 ] || fail "a plain definition"
[ "$(solve "$WORK/plain.llb" 7001)" = 0 ] || fail "session exporters without a session"

# The error of a definition contains the source locations of the failing op, the last location first.
python3 "$HERE/llb.py" > "$WORK/located.llb" <<'JSON'
{"ops": [{"file": {"actions": [{"input": -1, "secondaryInput": -1, "output": 0, "mkdir": {"path": "/a/b", "mode": 493}}]}}],
 "result": [0, 0], "source": {"filename": "made.from", "data": "one\ntwo\nthree\nfour\nfive\n", "lines": {"0": [[2, 2], [4, 4]]}}}
JSON
! "$BIN/buildctl" build --progress=plain < "$WORK/located.llb" 2> "$WORK/said" || fail "a mkdir without parents"
[ "$(grep -o '^made.from:.*' "$WORK/said" | tr '\n' ' ')" = "made.from:4 made.from:2 " ] || { cat "$WORK/said"; fail "no places"; }
alive
