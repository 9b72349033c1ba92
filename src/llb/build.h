/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build: creates LLB with the encoding of upstream's client, so that digests are equal.
 *
 *	g_autoptr(llb_graph) g = llb_graph_new();
 *	struct llb_out base = llb_source(g, "docker-image://docker.io/library/busybox:latest", NULL, &meta);
 *	struct llb_out ran = llb_exec(g, &exec, &meta);
 *	Pb__Definition *pb = llb_marshal(g, ran);
 *
 * The graph owns all nodes; an llb_out is a plain value (node NULL: scratch). Nodes are immutable once created. Equal
 * nodes are marshalled once, with the merged names, flags and locations. Thread: one at a time.
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

/* Metadata of an op: name, flags, source location. All members are copied. */
struct llb_meta {
	const char *custom_name;        /* description llb.customname; NULL: none */
	const char *const *description; /* further key, value, ..., NULL pairs; NULL: none */
	bool ignore_cache;
	int export_cache;                  /* -1 unset */
	const char *group_id, *group_name; /* progress group; NULL: none */
	bool group_weak;
	const struct platform *platform;     /* exec and image sources; NULL: the graph's default */
	const Pb__LinuxResources *resources; /* NULL: none */
	int source_index;                    /* index from llb_graph_add_source; -1: none */
	const Pb__Range *const *ranges;      /* NULL-terminated */
	const char *const *caps;             /* additional caps that the op requires; NULL-terminated or NULL */
	const char *const *constraints;      /* worker filters; NULL */
};
#define LLB_META_INIT                                                                                                  \
	{                                                                                                              \
		.export_cache = -1, .source_index = -1                                                                 \
	}

llb_graph *llb_graph_new(void);
void llb_graph_free(llb_graph *g);
void llb_graph_set_platform(llb_graph *g, const struct platform *p);
/*
 * Adds a source file for locations; definition (borrowed, copied) is the definition it was read from, or NULL. Returns
 * its index.
 */
int llb_graph_add_source(llb_graph *g, const char *filename, const char *language, const void *bytes, size_t n,
			 const Pb__Definition *definition);

/* attrs: key, value, ..., NULL. The platform is encoded for docker-image and oci-layout only. */
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
	const char *secret_id; /* also the ssh id */
	uint32_t uid, gid, mode;
	bool optional;
	int content_cache; /* Pb__MountContentCache */
};
struct llb_exec_spec {
	Pb__Meta *meta;                /* borrowed, copied */
	struct llb_exec_mount *mounts; /* any order; must contain "/" */
	size_t n_mounts;
	Pb__NetMode network;
	Pb__SecurityMode security;
	Pb__SecretEnv **secret_env;
	size_t n_secret_env;
	Pb__CDIDevice **devices;
	size_t n_devices;
};
/*
 * Adds caps, removeMountStubsRecursive, and SSH_AUTH_SOCK for the first ssh mount (dest empty:
 * /run/buildkit/ssh_agent.N). Returns the output of the root mount; if it is read-only, the mounted input.
 * llb_exec_mount_out returns the output of the mount at dest; pass it the value returned by llb_exec.
 */
struct llb_out llb_exec(llb_graph *g, const struct llb_exec_spec *spec, const struct llb_meta *meta);
struct llb_out llb_exec_mount_out(struct llb_out exec, const char *dest);

/*
 * A chain of file actions. `on` is the input of the first one (node NULL: scratch). Copies take their source from
 * another tree.
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
	bool owner_from_base; /* user names are looked up in the base tree (input 0), as in Dockerfiles */
};
struct llb_out llb_file(llb_graph *g, struct llb_out on, const struct llb_file_action *actions, size_t n,
			const struct llb_meta *meta);
struct llb_out llb_merge(llb_graph *g, const struct llb_out *inputs, size_t n, const struct llb_meta *meta);
struct llb_out llb_diff(llb_graph *g, struct llb_out lower, struct llb_out upper, const struct llb_meta *meta);
/*
 * A placeholder for an output that is created later; set it before marshalling. Unset, or set to scratch, it is
 * scratch. It does not become an op.
 */
struct llb_out llb_promise(llb_graph *g);
void llb_promise_set(llb_graph *g, struct llb_out promise, struct llb_out real);
/* Imports a received definition (a frontend input, a ref of an earlier solve); returns its result. */
struct llb_out llb_import(llb_graph *g, const Pb__Definition *definition, GError **error);

/*
 * Returns the definition of everything that the result depends on, terminal op last; for scratch, an empty definition.
 * guard_free.
 */
Pb__Definition *llb_marshal(llb_graph *g, struct llb_out result);
/* Same without a copy: valid as long as the graph. */
const Pb__Definition *llb_assemble(llb_graph *g, struct llb_out result);
/* Returns the digest of a node's op in the definition. */
void llb_out_digest(llb_graph *g, struct llb_out out, struct digest *ret);
/* Returns the bytes of an op in upstream's order: plain fields first, the op body last. */
GBytes *llb_op_pack(const Pb__Op *op);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(llb_graph, llb_graph_free)
