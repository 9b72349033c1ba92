/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: the limits that peers can reach, in one table. docs/limits.md lists them by L-id.
 *
 *	if (n > LIMIT_MESSAGE_BYTES) return error_set(error, ERROR_RESOURCE_EXHAUSTED, ...);
 *
 * Thread: constants.
 */
#pragma once

#define KIB(n) ((n)*1024LL)
#define MIB(n) ((n)*1024LL * 1024)
#define GIB(n) ((n)*1024LL * 1024 * 1024)

/* One row per limit: id, name, value, description. docs/limits.md is generated from them. */
#define LIMITS(X)                                                                                                      \
	X(L1, MESSAGE_BYTES, MIB(16), "gRPC message")                                                                  \
	X(L2, MESSAGE_STEP_BYTES, KIB(64), "growth step of a message buffer")                                          \
	X(L3, HEADER_BYTES, KIB(256), "decoded header list")                                                           \
	X(L3n, HEADER_FIELDS, 512, "header fields")                                                                    \
	X(L4, CONTINUATION_FRAMES, 8, "CONTINUATION frames per header block")                                          \
	X(L5, HPACK_TABLE_BYTES, KIB(4), "HPACK table")                                                                \
	X(L6, RESET_BURST, 1000, "RST_STREAM burst")                                                                   \
	X(L6r, RESET_PER_SECOND, 33, "RST_STREAM per second")                                                          \
	X(L7, GLITCH_BURST, 10000, "control frame burst")                                                              \
	X(L7r, GLITCH_PER_SECOND, 330, "control frames per second")                                                    \
	X(L8, UNSENT_ACKS, 1000, "unsent acknowledgements per connection")                                             \
	X(L9, STREAMS, 1000, "open streams per connection")                                                            \
	X(L10, STREAM_WINDOW_BYTES, KIB(256), "HTTP/2 stream window")                                                  \
	X(L10c, CONNECTION_WINDOW_BYTES, MIB(4), "HTTP/2 connection window")                                           \
	X(L11, UNIX_CONNECTIONS, 1024, "unix connections")                                                             \
	X(L11t, TCP_CONNECTIONS, 256, "tcp connections")                                                               \
	X(L11u, UID_CONNECTIONS, 256, "unix connections of a uid other than root")                                     \
	X(L11a, ADDRESS_CONNECTIONS, 64, "tcp connections of an address")                                              \
	X(L12, PREFACE_MS, 10000, "time to the HTTP/2 preface, ms")                                                    \
	X(L12k, KEEPALIVE_MS, 30000, "idle time before a keepalive ping on tcp, ms")                                   \
	X(L12i, IDLE_MS, 1800000, "time without calls until a connection is closed, ms")                               \
	X(L13, PROTO_DEPTH, 100, "protobuf nesting")                                                                   \
	X(L13u, PROTO_UNKNOWN_BYTES, MIB(1), "unknown protobuf fields")                                                \
	X(L13r, PROTO_REPEATED, 1000000, "repeated protobuf fields")                                                   \
	X(L15, LLB_OPS, 100000, "ops per definition")                                                                  \
	X(L15i, LLB_INPUTS, 10000, "inputs per op")                                                                    \
	X(L15n, NESTED_DEFINITIONS, 1000, "definitions read by build ops of a build")                                  \
	X(L15f, FRONTENDS, 64, "frontend images of a build that run at once")                                          \
	X(L15d, FRONTEND_DEPTH, 16, "frontends that request each other")                                               \
	X(L15x, FRONTEND_EXIT_MS, 3000, "time from the result of a frontend image to its exit, ms")                    \
	X(L15s, SOLVES, 100000, "LLBBridge Solve calls of a client's build or a frontend image")                       \
	X(L15b, SOLVE_BYTES, MIB(512), "definitions and inputs in these calls")                                        \
	X(L16, DOCKERFILE_BYTES, MIB(16), "Dockerfile")                                                                \
	X(L16l, DOCKERFILE_LINE_BYTES, 65535, "Dockerfile line")                                                       \
	X(L17, WORD_BYTES, MIB(1), "expanded word")                                                                    \
	X(L17e, ENV_BYTES, MIB(4), "environment of a stage")                                                           \
	X(L17w, EXPANSION_WORK, MIB(256), "expansion work per file")                                                   \
	X(L18, STAGES, 50000, "stages")                                                                                \
	X(L18c, CPU_INDEX, 8192, "number of a CPU or memory node")                                                     \
	X(L18i, INSTRUCTIONS, 500000, "instructions")                                                                  \
	X(L19, MANIFEST_BYTES, MIB(4), "manifest")                                                                     \
	X(L19i, INDEX_BYTES, MIB(8), "index")                                                                          \
	X(L19c, CONFIG_BYTES, MIB(8), "image config")                                                                  \
	X(L19k, CACHE_CONFIG_BYTES, MIB(16), "cache config")                                                           \
	X(L19r, CACHE_RECORDS, 200000, "records and links of a cache config")                                          \
	X(L19m, MEMORY_BLOBS_BYTES, MIB(16), "image documents kept in memory")                                         \
	X(L19p, POLICY_BYTES, MIB(4), "source policy")                                                                 \
	X(L19s, SOURCE_IDENTIFIER_BYTES, KIB(16), "identifier of a source that is matched against policies")           \
	X(L19x, REGEX_BYTES, KIB(16), "regular expression")                                                            \
	X(L19y, REGEX_STEPS, 50000000, "steps of matching a regular expression")                                       \
	X(L19z, REGEX_PROGRAM, 20000, "instructions of a compiled expression")                                         \
	X(L19g, REGEX_SLOTS, 1000000, "instructions of a compiled expression, times twice its groups")                 \
	X(L20, JSON_DEPTH, 64, "JSON nesting")                                                                         \
	X(L21, INDEX_NESTING, 4, "index nesting")                                                                      \
	X(L21m, INDEX_MANIFESTS, 10000, "manifests in an index")                                                       \
	X(L22, LAYERS, 500, "layers per image")                                                                        \
	X(L23, REDIRECTS, 10, "requests of a chain of redirects")                                                      \
	X(L23a, AUTH_ROUNDS, 2, "authentication rounds")                                                               \
	X(L23r, RETRIES, 4, "retries")                                                                                 \
	X(L25, HTTP_SOURCE_BYTES, GIB(16), "http source")                                                              \
	X(L25t, ARCHIVE_TIME_BYTES, GIB(4), "unpacked size of an archive of which the newest file is determined")      \
	X(L30, TAR_ENTRIES, 10000000, "entries per layer")                                                             \
	X(L31, PATH_BYTES, 4096, "path")                                                                               \
	X(L31d, PATH_DEPTH, 1000, "path components")                                                                   \
	X(L33, XATTRS, 256, "xattrs per file")                                                                         \
	X(L33b, XATTR_BYTES, KIB(64), "xattr bytes per file")                                                          \
	X(L34, LAYER_BYTES, GIB(256), "unpacked layer")                                                                \
	X(L35, EXPANSION_RATIO, 1000, "compression ratio after the first GiB")                                         \
	X(L36t, TABLE_BYTES, GIB(1), "estargz table of contents")                                                      \
	X(L37, SYMLINK_BYTES, 4095, "symlink target")                                                                  \
	X(L40, STEP_LOG_BYTES, MIB(2), "log of a step")                                                                \
	X(L40s, STEP_LOG_BYTES_PER_SECOND, KIB(200), "log of a step per second")                                       \
	X(L41, STEP_ITEMS, 65536, "arguments of a step; the same for its variables, mounts, groups, resource limits")  \
	X(L41b, STEP_BYTES, MIB(16), "arguments, environment and mounts of a step")                                    \
	X(L41f, STEP_FDS, 4096, "mounts of a step that are not a tmpfs, and its streams")                              \
	X(L42, SECRET_BYTES, KIB(500), "secret")                                                                       \
	X(L42a, SSH_AGENT_BYTES, KIB(256), "ssh agent message")                                                        \
	X(L42k, SSH_KEY_BYTES, KIB(100), "ssh key file")                                                               \
	X(L42r, SSH_RSA_BITS, 16384, "bits of an RSA key")                                                             \
	X(L42p, PASSWD_BYTES, MIB(10), "passwd and group files")                                                       \
	X(L43, ATTESTATION_BYTES, MIB(40), "attestation in a result")                                                  \
	X(L43c, ATTESTATION_CHAIN_BYTES, MIB(15), "attestation chain of an image that a client asks for")              \
	X(L44, SIGNATURE_BYTES, KIB(64), "signature of a git or http source")                                          \
	X(L44k, PUBLIC_KEYS_BYTES, MIB(1), "public keys with which a source is verified")                              \
	X(L44b, BUNDLE_HEADER_BYTES, MIB(4), "header of a git bundle")                                                 \
	X(L43a, ATTESTATIONS_BYTES, MIB(256), "attestations of a platform")                                            \
	X(L43n, ATTESTATIONS, 1000, "number of attestations of a platform")                                            \
	X(L43b, STATEMENTS_BYTES, GIB(1), "statements written about a platform")                                       \
	X(L43r, RESULT_ATTESTATIONS, 10000, "number of attestations in a result of a frontend")                        \
	X(L43s, SUBJECTS_BYTES, MIB(4), "subjects of an in-toto statement in a result")                                \
	X(L47, LOG_LINE_BYTES, KIB(8), "log line of the daemon")                                                       \
	X(L9t, CONNECTION_THREADS, 512, "calls of a connection that hold a thread")                                    \
	X(L9d, CALL_THREADS, 2048, "calls of the daemon that hold a thread")                                           \
	X(L49, CNI_CONFIG_BYTES, MIB(1), "CNI configuration")                                                          \
	X(L49o, CNI_OUTPUT_BYTES, MIB(1), "output of a call of a CNI plugin")                                          \
	X(L49t, CNI_PLUGIN_MS, 60000, "time of a call of a CNI plugin, ms")                                            \
	X(L49d, CDI_LEVELS, 64, "levels of a CDI specification")                                                       \
	X(L49a, CDI_ANCHORS, 1000, "anchors of a CDI specification")                                                   \
	X(L49f, CDI_SPEC_BYTES, MIB(4), "CDI specification")                                                           \
	X(L49e, CDI_ELEMENTS, 200000, "elements of the lists of a CDI specification, with those of aliases")           \
	X(L51, PROXY_CONNECTIONS, 128, "connections to the proxy of a step that are served")                           \
	X(L51h, PROXY_HEAD_BYTES, KIB(64), "head of a request to the proxy of a step")                                 \
	X(L51n, PROXY_HEADERS, 128, "headers of such a request")                                                       \
	X(L51e, PROXY_EXTRA_BYTES, KIB(8), "chunk extensions and trailers of such a request")                          \
	X(L51t, PROXY_HEAD_MS, 30000, "time for the head of such a request or a TLS handshake, ms")                    \
	X(L51i, PROXY_IDLE_MS, 60000, "time without a request until such a connection is closed, ms")                  \
	X(L51s, PROXY_STALL_MS, 300000, "time that the proxy waits for bytes of the step or of a server, ms")          \
	X(L51c, PROXY_CERTIFICATES, 256, "server certificates of a step that are kept")                                \
	X(L51r, PROXY_REQUESTS, 10000, "requests of a step that are recorded")                                         \
	X(L51b, PROXY_CAPTURE_BYTES, MIB(4), "their addresses")                                                        \
	X(L10b, CONNECTION_BUFFER_BYTES, MIB(64), "unread messages of a connection")                                   \
	X(L10g, BUFFER_BYTES, MIB(256), "unread messages of all connections")                                          \
	X(L10s, STALL_MS, 10000, "time that unread messages beyond a connection's share may wait, ms")                 \
	X(L48, CONTAINERS, 64, "containers of a build")                                                                \
	X(L48f, FAILURES, 32, "failed steps of a build whose trees a container can use; the oldest are dropped")       \
	X(L48p, CONTAINER_PROCESSES, 64, "running processes of a container")                                           \
	X(L48n, EXEC_PROCESSES, 10000, "processes of an ExecProcess stream")                                           \
	X(L48i, EXEC_ID_BYTES, 1024, "id of a container or of a process")                                              \
	X(L48b, EXEC_INPUT_BYTES, MIB(1), "input that a process of a container has not read")                          \
	X(L50, EXPORTERS, 100, "exporters of a build, of its request and its session; cache exporters of its request") \
	X(L51, SNAPSHOTS, 1000000, "snapshots that a snapshotter lists")                                               \
	X(L51o, MOUNT_OPTIONS, 64, "options of a mount of a snapshotter")                                              \
	X(L52, TRACE_BYTES, MIB(16), "recorded spans of a trace; spans of clients and steps are at most half of it")   \
	X(L52a, TRACES_BYTES, MIB(64), "recorded spans of all traces")                                                 \
	X(L52s, SPAN_BYTES, KIB(64), "span")                                                                           \
	X(L52i, SPAN_ITEMS, 128, "attributes of a span; the same for its events and links")                            \
	X(L52t, SPAN_TEXT_BYTES, KIB(8), "name, text of an attribute or message of a span; the rest is cut off")       \
	X(L52b, BAGGAGE_BYTES, KIB(8), "tracestate and baggage of a call")                                             \
	X(L46, THREADS, 4096, "threads of the process")                                                                \
	X(L45, DISK_RESERVE_BYTES, MIB(16), "disk reserve")

#define LIMIT_CONSTANT(id, name, value, text) static const long long LIMIT_##name __attribute__((unused)) = (value);
LIMITS(LIMIT_CONSTANT)
#undef LIMIT_CONSTANT
