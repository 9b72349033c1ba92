# SPDX-License-Identifier: Apache-2.0
# The SBOM of an image with the containerd worker: the generator of test/scanner, layers of files, containerd's content.
own_mounts
. "$HERE/containerd.inc"
mkdir -p "$WORK/reg"
python3 "$HERE/counting_registry.py" "$WORK/reg" &
REGISTRY=$!
undo "kill $REGISTRY; wait $REGISTRY 2>/dev/null"
await test -s "$WORK/reg/port"
REG="127.0.0.1:$(cat "$WORK/reg/port")"
start_containerd
start_containerd_daemon

must() { "$@" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "$*"; }; }
make_context "$WORK/base"
cp "$WORK/base/base" "$WORK/base/Dockerfile"
must build "$WORK/base" --output "type=image,name=$REG/base,push=true"
cp -r "$HERE/../scanner" "$WORK/scanner"
must build "$WORK/scanner" --opt "build-arg:BASE=$REG/base" --output "type=image,name=$REG/scanner,push=true"

mkdir "$WORK/c"
printf 'FROM %s/base\nRUN echo made > /made\n' "$REG" > "$WORK/c/Dockerfile"
must build "$WORK/c" --opt "attest:sbom=generator=$REG/scanner" --opt attest:provenance=mode=min --output "type=image,name=$REG/a:1,push=true"
cat > "$WORK/check.py" <<'PYTHON'
import json, sys, urllib.request
host = sys.argv[1]
def get(kind, name):
    r = urllib.request.Request(f"http://{host}/v2/a/{kind}/{name}")
    return json.load(urllib.request.urlopen(r))
index = get("manifests", "1")
image, attestations = [get("manifests", m["digest"]) for m in index["manifests"]]
assert index["manifests"][1]["annotations"]["vnd.docker.reference.digest"] == index["manifests"][0]["digest"]
assert [l["annotations"]["in-toto.io/predicate-type"] for l in attestations["layers"]] == [
    "https://spdx.dev/Document", "https://slsa.dev/provenance/v1"], attestations
p = get("blobs", attestations["layers"][0]["digest"])["predicate"]
comments = {f["fileName"]: f["comment"] for f in p["files"]}
assert comments["/made"] == "layerID: " + image["layers"][-1]["digest"], comments["/made"]
assert comments["/bin/busybox"] == "layerID: " + image["layers"][0]["digest"], comments["/bin/busybox"]
print(attestations["layers"][0]["digest"])
PYTHON
statement=$(python3 "$WORK/check.py" "$REG") || fail "the SBOM in the registry"
in_containerd content | grep -qx "$statement" || fail "containerd does not have the statement"
# Files of a result are its subjects.
must build "$WORK/c" --opt "attest:sbom=generator=$REG/scanner" --output "type=local,dest=$WORK/out"
python3 -c "import json, sys
s = json.load(open(sys.argv[1]))
assert 'made' in [x['name'] for x in s['subject']], s['subject']" "$WORK/out/sbom.spdx.json" || fail "subjects"
stop_daemon
