# SPDX-License-Identifier: Apache-2.0
# F23 to F26: what RFC 9113 and RFC 7541 want of a server.
start_daemon
python3 "$HERE/http2.py" "$WORK/sock" || fail "cases of HTTP/2"
alive
