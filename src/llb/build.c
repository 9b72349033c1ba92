/* SPDX-License-Identifier: Apache-2.0 */
#include "llb/build.h"
#include "api/message_copy.h"
#include "llb/graph.h"
#include <string.h>

/* ---- sources */

/* The cap for an attribute of a scheme; attr NULL: the cap for the scheme. */
static const struct source_cap {
	const char *scheme, *attr, *cap;
} source_caps[] = {
	{"docker-image", NULL, "source.image"},
	{"docker-image", "image.layerlimit", "source.image.layerlimit"},
	{"docker-image", "image.checksum", "source.image.checksum"},
	{"oci-layout", NULL, "source.ocilayout"},
	{"docker-image+blob", NULL, "source.imageblob"},
	{"oci-layout+blob", NULL, "source.imageblob"},
	{"local", NULL, "source.local"},
	{"local", "local.session", "source.local.sessionid"},
	{"local", "local.unique", "source.local.unique"},
	{"local", "local.includepattern", "source.local.includepatterns"},
	{"local", "local.followpaths", "source.local.followpaths"},
	{"local", "local.excludepatterns", "source.local.excludepatterns"},
	{"local", "local.sharedkeyhint", "source.local.sharedkeyhint"},
	{"local", "local.metadatatransfer", "source.local.metadatatransfer"},
	{"git", NULL, "source.git"},
	{"git", "git.keepgitdir", "source.git.keepgitdir"},
	{"git", "git.fullurl", "source.git.fullurl"},
	{"git", "git.knownsshhosts", "source.git.knownsshhosts"},
	{"git", "git.mountsshsock", "source.git.mountsshsock"},
	{"git", "git.mountsshsock", "source.git.knownsshhosts"}, /* required even without known hosts */
	{"git", "git.checksum", "source.git.checksum"},
	{"git", "git.skipsubmodules", "source.git.skipsubmodules"},
	{"git", "git.mtime", "source.git.mtime"},
	{"git", "git.fetchbycommit", "source.git.fetchbycommit"},
	{"git", "git.bundle", "source.git.bundle"},
	{"git", "git.checkoutbundle", "source.git.checkoutbundle"},
	{"git", "git.sig.pubkey", "source.git.signatureverify"},
	{"http", NULL, "source.http"},
	{"http", "http.checksum", "source.http.checksum"},
	{"http", "http.perm", "source.http.perm"},
	{"http", "http.uid", "soruce.http.uidgid"},
	{"http", "http.gid", "soruce.http.uidgid"},
	{"http", "http.authheadersecret", "source.http.auth"},
	{"http", "http.sig.pubkey", "source.http.signatureverify"},
};

/* Adds the caps from the table, and those that depend on the prefix of a header or on the value of the resolve mode. */
static void source_add_caps(struct llb_op_draft *d, const char *identifier, const char *const *attrs)
{
	const char *end = strstr(identifier, "://");
	g_autofree char *scheme = g_strndup(identifier, end ? (size_t)(end - identifier) : 0);
	const char *name = strcmp(scheme, "https") == 0 ? "http" : scheme;
	for (size_t i = 0; i < G_N_ELEMENTS(source_caps); i++) {
		const struct source_cap *row = &source_caps[i];
		bool wanted = strcmp(row->scheme, name) == 0 && !row->attr;
		for (const char *const *a = attrs; a && *a && row->attr && !wanted; a += 2)
			wanted = strcmp(row->scheme, name) == 0 && strcmp(*a, row->attr) == 0;
		if (wanted)
			llb_op_draft_cap(d, row->cap);
	}
	for (const char *const *a = attrs; a && *a; a += 2) {
		if (g_str_has_prefix(*a, "http.header."))
			llb_op_draft_cap(d, "source.http.header");
		if (strcmp(*a, "image.resolvemode") == 0 && strcmp(a[1], "pull") == 0)
			llb_op_draft_cap(d, "source.image.resolvemode");
	}
}

struct llb_out llb_source(llb_graph *g, const char *identifier, const char *const *attrs, const struct llb_meta *meta)
{
	struct llb_op_draft d;
	bool with_platform =
		g_str_has_prefix(identifier, "docker-image://") || g_str_has_prefix(identifier, "oci-layout://");
	llb_op_draft_init(&d, g, meta, with_platform);
	Pb__SourceOp source = PB__SOURCE_OP__INIT;
	source.identifier = (char *)identifier;
	size_t n = attrs ? g_strv_length((char **)attrs) / 2 : 0;
	source.attrs = llb_op_draft_alloc(&d, n * sizeof *source.attrs);
	for (size_t i = 0; i < n; i++) {
		Pb__SourceOp__AttrsEntry *e =
			message_new_in(d.graph->arena, Pb__SourceOp__AttrsEntry, pb__source_op__attrs_entry);
		e->key = (char *)attrs[2 * i];
		e->value = (char *)attrs[2 * i + 1];
		source.attrs[source.n_attrs++] = e;
	}
	source_add_caps(&d, identifier, attrs);
	d.op.op_case = PB__OP__OP_SOURCE;
	d.op.source = &source;
	return (struct llb_out){.node = llb_op_draft_finish(&d)};
}

/* ---- merge, diff */

struct llb_out llb_merge(llb_graph *g, const struct llb_out *inputs, size_t n, const struct llb_meta *meta)
{
	struct llb_op_draft d;
	llb_op_draft_init(&d, g, meta, false);
	llb_op_draft_cap(&d, "mergeop");
	Pb__MergeOp merge = PB__MERGE_OP__INIT;
	merge.inputs = llb_op_draft_alloc(&d, n * sizeof *merge.inputs);
	for (size_t i = 0; i < n; i++) {
		if (!inputs[i].node)
			continue;
		Pb__MergeInput *in = message_new_in(d.graph->arena, Pb__MergeInput, pb__merge_input);
		in->input = llb_op_draft_input(&d, inputs[i]);
		merge.inputs[merge.n_inputs++] = in;
	}
	d.op.op_case = PB__OP__OP_MERGE;
	d.op.merge = &merge;
	return (struct llb_out){.node = llb_op_draft_finish(&d)};
}

struct llb_out llb_diff(llb_graph *g, struct llb_out lower, struct llb_out upper, const struct llb_meta *meta)
{
	if (!lower.node)
		return upper;
	struct llb_op_draft d;
	llb_op_draft_init(&d, g, meta, false);
	llb_op_draft_cap(&d, "diffop");
	Pb__DiffOp diff = PB__DIFF_OP__INIT;
	Pb__LowerDiffInput low = PB__LOWER_DIFF_INPUT__INIT;
	Pb__UpperDiffInput up = PB__UPPER_DIFF_INPUT__INIT;
	low.input = llb_op_draft_input(&d, lower);
	up.input = llb_op_draft_input(&d, upper);
	diff.lower = &low;
	diff.upper = &up;
	d.op.op_case = PB__OP__OP_DIFF;
	d.op.diff = &diff;
	return (struct llb_out){.node = llb_op_draft_finish(&d)};
}
