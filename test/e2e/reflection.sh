# SPDX-License-Identifier: Apache-2.0
# The reflection service describes each service of the daemon, so that grpcurl and other tools need no .proto files.
start_daemon
python3 "$HERE/reflection.py" "$WORK/sock" > "$WORK/said" || fail "reflection"
grep -q '^[0-9]* services, [0-9]* methods$' "$WORK/said" || { cat "$WORK/said"; fail "the test did not end"; }
alive
