# SPDX-License-Identifier: Apache-2.0
# The content store as listed by clients: blobs of images and of the history; empty after all are removed.
make_context "$WORK/c"
printf 'FROM scratch\nCOPY base /f\n' > "$WORK/c/Dockerfile"
start_daemon
list() { python3 "$HERE/peer.py" content "$WORK/sock" "$@" > "$WORK/list" || fail "List $*"; }

list
[ ! -s "$WORK/list" ] || { cat "$WORK/list"; fail "blobs before any build"; }
build "$WORK/c" --output type=oci,dest="$WORK/out.tar" --metadata-file "$WORK/meta" --progress=quiet || fail "build"
list
python3 - "$WORK/out.tar" "$WORK/list" <<'PYTHON' || { cat "$WORK/list"; fail "list and image differ"; }
import sys, tarfile
listed = dict(line.split() for line in open(sys.argv[2]))
inside = {m.name.split("/")[-1]: m.size for m in tarfile.open(sys.argv[1]) if m.name.startswith("blobs/sha256/")}
assert inside and all(int(listed["sha256:" + name]) == size for name, size in inside.items())
PYTHON
digest=$(sed -n 's/.*"containerimage.digest": *"\([^"]*\)".*/\1/p' "$WORK/meta" | head -n 1)
list "digest==$digest"
[ "$(cut -d' ' -f1 "$WORK/list")" = "$digest" ] || { cat "$WORK/list"; fail "filter by digest"; }
list 'labels.x==y'
[ ! -s "$WORK/list" ] || fail "a label that no blob has"
[ "$(python3 "$HERE/peer.py" statuses "$WORK/sock")" = 0 ] || fail "writes under way"

# The build record refers to the image and keeps its manifests and config, but not its layers.
"$BIN/buildctl" prune --all > /dev/null || fail "prune"
"$BIN/buildctl" debug histories --format '{{json .}}' > "$WORK/histories" || fail "histories"
python3 - "$WORK/histories" "$digest" <<'PYTHON' || { cat "$WORK/histories"; fail "the record does not name the image"; }
import json, sys
result = json.loads(open(sys.argv[1]).read().splitlines()[0])["record"]["Result"]
assert list(result["Results"]) == ["0"] and result["ResultDeprecated"] == result["Results"]["0"]
assert result["Results"]["0"]["digest"] == sys.argv[2] and result["Results"]["0"]["media_type"].endswith("manifest.v1+json")
PYTHON
"$BIN/buildctl" debug get "$digest" > "$WORK/manifest" || fail "the manifest was pruned"
config=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["config"]["digest"])' "$WORK/manifest")
"$BIN/buildctl" debug get "$config" > /dev/null || { cat "$WORK/manifest"; fail "the config was pruned"; }
"$BIN/buildctl" prune-histories > /dev/null || fail "prune-histories"
list
[ ! -s "$WORK/list" ] || { cat "$WORK/list"; fail "blobs after everything was removed"; }
