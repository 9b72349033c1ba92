/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build: making LLB in the real system's byte order, so that digests agree (llb-and-solver.md section 4).
 *
 *	g_autoptr(llb_graph) g = llb_graph_new();
 *	struct llb_out base = llb_source(g, "docker-image://docker.io/library/busybox:latest", NULL, &meta);
 *	struct llb_out ran = llb_exec(g, &exec, &meta);
 *	Pb__Definition *pb = llb_marshal(g, ran);
 *
 * The graph owns all nodes; an llb_out is a plain value (node NULL: scratch). Nodes are immutable once made and equal
 * ones marshal once (with the names, flags and locations of all). Thread: one at a time.
 */
#pragma once
#include "format/platform.h"
#include "ops.pb-c.h"
#include "base/digest.h"

typedef struct llb_graph llb_graph;
struct llb_node;
struct llb_out {
	const struct llb_node *node; /* NULL: scratch */
	int index;
};

/* What stands beside an op: name, flags, source location. Everything is copied. */
struct llb_meta {
	const char *custom_name;        /* description llb.customname; NULL: none */
	const char *const *description; /* further key, value, ..., NULL pairs; NULL: none */
	bool ignore_cache;
	int export_cache;                  /* -1 unset */
	const char *group_id, *group_name; /* progress group; NULL: none */
	bool group_weak;
	const struct platform *platform;     /* exec and image sources; NULL: the graph's default */
	const Pb__LinuxResources *resources; /* NULL: none */
	int source_index;                    /* of llb_graph_add_source, -1: none */
	const Pb__Range *const *ranges;      /* NULL-terminated */
	const char *const *caps;             /* further caps that the op needs; NULL-terminated or NULL */
	const char *const *constraints;      /* worker filters; NULL */
};
#define LLB_META_INIT                                                                                                  \
	{                                                                                                              \
		.export_cache = -1, .source_index = -1                                                                 \
	}

llb_graph *llb_graph_new(void);
void llb_graph_free(llb_graph *g);
void llb_graph_set_platform(llb_graph *g, const struct platform *p);
/* A source file for locations; definition (borrowed, copied) is how it was read, or NULL. Returns its index. */
int llb_graph_add_source(llb_graph *g, const char *filename, const char *language, const void *bytes, size_t n,
			 const Pb__Definition *definition);

/* attrs: key, value, ..., NULL. Platform is written for docker-image and oci-layout only. */
struct llb_out llb_source(llb_graph *g, const char *identifier, const char *const *attrs, const struct llb_meta *meta);

struct llb_exec_mount {
	struct llb_out source; /* node NULL: scratch (input -1) */
	Pb__MountType type;
	const char *dest;
	const char *selector;
	bool readonly;
	bool no_output; /* output -1 although writable */
	const char *cache_id;
	Pb__CacheSharingOpt sharing;
	int64_t tmpfs_size;
	const char *secret_id; /* also ssh id */
	uint32_t uid, gid, mode;
	bool optional;
	int content_cache; /* Pb__MountContentCache */
};
struct llb_exec_spec {
	Pb__Meta *meta;                /* borrowed, copied */
	struct llb_exec_mount *mounts; /* any order; "/" must be among them */
	size_t n_mounts;
	Pb__NetMode network;
	Pb__SecurityMode security;
	Pb__SecretEnv **secret_env;
	size_t n_secret_env;
	Pb__CDIDevice **devices;
	size_t n_devices;
};
/*
 * Caps, removeMountStubsRecursive, and SSH_AUTH_SOCK for a first ssh mount (dest empty: /run/buildkit/ssh_agent.N) are
 * added. The root's output; a read-only root stands for what is mounted there. llb_exec_mount_out gives
 * the output of the mount at dest. Call it with the value that llb_exec gave.
 */
struct llb_out llb_exec(llb_graph *g, const struct llb_exec_spec *spec, const struct llb_meta *meta);
struct llb_out llb_exec_mount_out(struct llb_out exec, const char *dest);

/*
 * A chain of file actions. Build actions one by one; `on` is what the first works on (node NULL: scratch).
 * In copies, from names another tree.
 */
struct llb_file_action {
	Pb__FileAction__ActionCase type;
	union {
		const Pb__FileActionCopy *copy; /* borrowed, copied */
		const Pb__FileActionMkFile *mkfile;
		const Pb__FileActionMkDir *mkdir;
		const Pb__FileActionRm *rm;
		const Pb__FileActionSymlink *symlink;
	};
	struct llb_out from;  /* copies: secondary input (node NULL: scratch) */
	bool owner_from_base; /* named owners are looked up in the tree worked on (input 0), as the Dockerfile does */
};
struct llb_out llb_file(llb_graph *g, struct llb_out on, const struct llb_file_action *actions, size_t n,
			const struct llb_meta *meta);
struct llb_out llb_merge(llb_graph *g, const struct llb_out *inputs, size_t n, const struct llb_meta *meta);
struct llb_out llb_diff(llb_graph *g, struct llb_out lower, struct llb_out upper, const struct llb_meta *meta);
/*
 * Stands for an output that is made later; set before marshal, users then see the real one. Never set, or set to
 * scratch: scratch. It is no op of its own.
 */
struct llb_out llb_promise(llb_graph *g);
void llb_promise_set(llb_graph *g, struct llb_out promise, struct llb_out real);
/* Grafts a received definition (a frontend input, a ref of an earlier solve); its result is the output. */
struct llb_out llb_import(llb_graph *g, const Pb__Definition *definition, GError **error);

/* The definition of everything reachable, terminal op last; scratch: an empty definition. guard_free. */
Pb__Definition *llb_marshal(llb_graph *g, struct llb_out result);
/* The same without a copy: the graph's, as long as it lives. */
const Pb__Definition *llb_assemble(llb_graph *g, struct llb_out result);
/* The digest that a node's op has in the definition. */
void llb_out_digest(llb_graph *g, struct llb_out out, struct digest *ret);
/* The bytes of one op in upstream's order: plain fields first, the op body last. */
GBytes *llb_op_pack(const Pb__Op *op);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(llb_graph, llb_graph_free)
