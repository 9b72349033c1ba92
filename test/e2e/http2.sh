# SPDX-License-Identifier: Apache-2.0
# F23 to F26: requirements of RFC 9113 and RFC 7541 for servers.
start_daemon
python3 "$HERE/http2.py" "$WORK/sock" || fail "cases of HTTP/2"
alive
