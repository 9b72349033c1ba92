# SPDX-License-Identifier: Apache-2.0
# Caches in a bucket of a server that verifies signatures.

mkdir -p "$WORK/s3"
python3 "$HERE/s3.py" "$WORK/s3" AKID 'se/cr+et' &
SERVER=$!
undo "kill $SERVER; wait $SERVER 2>/dev/null"
wait_for "" "$WORK/s3/port"
ENDPOINT="http://127.0.0.1:$(cat "$WORK/s3/port")"
start_daemon
make_context "$WORK/ctx"
{
	cat "$WORK/ctx/base"
	echo 'RUN echo one > /one; echo RAN-one'
	echo 'RUN cat /one > /two; echo RAN-two'
} > "$WORK/ctx/Dockerfile"

bucket="type=s3,bucket=b,region=eu-central-1,endpoint_url=$ENDPOINT,use_path_style=true,access_key_id=AKID"
key='secret_access_key=se/cr+et'
prune() { "$BIN/buildctl" prune --all > /dev/null; }
ran() { grep -qE "^#[0-9]+ [0-9.]+ RAN-($1)" "$WORK/said"; }
requests() { grep -cE "^$1" "$WORK/s3/log" || true; }
try() { build "$WORK/ctx" "$@" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "build $*"; }; }

# No cache was exported yet: a miss without an error.
try --import-cache "$bucket,$key"
ran two || fail "nothing ran"

try --export-cache "$bucket,$key,mode=max,prefix=p/,name=a;b,session_token=tok/en+="
[ "$(requests 'PUT /b/p/blobs/')" = 4 ] || fail "$(requests 'PUT /b/p/blobs/') layers, not 4"
[ "$(requests 'PUT /b/p/manifests/[ab] 200')" = 2 ] || fail "not two manifests"
prune
try --import-cache "$bucket,$key,prefix=p/,name=a" --output "type=oci,dest=$WORK/o.tar"
! ran '.*' || fail "a step ran"

# Existing objects are not sent again; old ones are touched.
: > "$WORK/s3/log"
try --export-cache "$bucket,$key,mode=max,prefix=p/,name=a"
[ "$(requests 'PUT /b/p/blobs/')" = 0 ] || fail "layers were sent again"
try --export-cache "$bucket,$key,mode=max,prefix=p/,name=a,touch_refresh=1ns"
[ "$(requests 'PUT /b/p/blobs/.* 200')" = 4 ] || fail "$(requests 'PUT /b/p/blobs/.* 200') layers were touched, not 4"

fails "failed to solve" "$WORK/said" build "$WORK/ctx" --export-cache "$bucket,secret_access_key=wrong"
fails "bucket (\$AWS_BUCKET) not set for s3 cache" "$WORK/said" build "$WORK/ctx" --export-cache type=s3,region=x
fails "upload_parallelism must be a positive integer" "$WORK/said" build "$WORK/ctx" --export-cache "$bucket,$key,upload_parallelism=0"
try --export-cache "$bucket,secret_access_key=wrong,ignore-error=true"
prune
try --import-cache "$bucket,secret_access_key=wrong"
grep -q "SignatureDoesNotMatch" "$WORK/said" || fail "a refused import says nothing"
stop_daemon
no_leftovers
