# SPDX-License-Identifier: Apache-2.0
# Caches in a bucket of s3rver, an independent server, which is installed from the npm registry for this test.

command -v npm > /dev/null || skip "npm is not there"
mkdir -p "$WORK/npm"
(cd "$WORK/npm" && timeout 80 npm install --silent --no-audit --no-fund s3rver@3.7.1 > "$WORK/npm.txt" 2>&1) ||
	skip "s3rver cannot be installed from the npm registry"
start_daemon
(cd "$WORK/npm" && exec node_modules/.bin/s3rver -d "$WORK/data" -a 127.0.0.1 -p 0 --no-vhost-buckets --configure-bucket b > "$WORK/s3.txt" 2>&1) &
SERVER=$!
undo "kill $SERVER; wait $SERVER 2>/dev/null"
wait_for "listening on" "$WORK/s3.txt"
PORT=$(sed -n 's/.*listening on [^:]*:\([0-9]*\).*/\1/p' "$WORK/s3.txt" | head -n 1)
make_context "$WORK/ctx"
{
	cat "$WORK/ctx/base"
	echo 'RUN echo one > /one; echo RAN-one'
} > "$WORK/ctx/Dockerfile"
bucket="type=s3,bucket=b,region=us-east-1,endpoint_url=http://127.0.0.1:$PORT,use_path_style=true,access_key_id=S3RVER,secret_access_key=S3RVER"
build "$WORK/ctx" --export-cache "$bucket,mode=max" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "export"; }
"$BIN/buildctl" prune --all > /dev/null
build "$WORK/ctx" --import-cache "$bucket" --output "type=oci,dest=$WORK/o.tar" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "import"; }
! grep -qE '^#[0-9]+ [0-9.]+ RAN-' "$WORK/said" || { cat "$WORK/said"; fail "a step ran"; }
stop_daemon
