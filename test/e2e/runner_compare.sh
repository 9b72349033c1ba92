# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 400
# The same containers by our runner and by runc: some hundreds of configurations, the same views, statuses and refusals.
command -v runc > /dev/null || skip "no runc to compare with"
timeout 380 python3 "$HERE/runner_compare.py" "$BIN/buildkit-runc" "$(command -v runc)" "$WORK" ${COMPARE:-} || fail "they differ"
