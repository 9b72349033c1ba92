/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "api/message.h"
#include "debug_commands.h"
#include "format/gotype.h"
#include "llb/definition.h"
#include <string.h>
#include <unistd.h>

static const struct flag dump_flags[] = {
	{"dot", NULL, FLAG_BOOL, NULL, NULL, "print the graph in the Graphviz DOT language"},
};

/* An op as dump-llb prints it. */
struct dumped {
	Pb__Op *op;
	struct digest digest;
	const Pb__OpMetadata *metadata; /* borrowed */
};

static void dumped_free(gpointer data)
{
	struct dumped *d = data;
	guard_free(d->op);
	g_free(d);
}

static GBytes *read_input(const char *path, GError **error)
{
	g_autoptr(GByteArray) all = g_byte_array_new();
	if (path && strcmp(path, "-") != 0) {
		char *bytes;
		gsize n;
		return g_file_get_contents(path, &bytes, &n, error) ? g_bytes_new_take(bytes, n) : NULL;
	}
	guint8 buffer[65536];
	for (ssize_t n; (n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0 && all->len <= LIMIT_MESSAGE_BYTES;)
		g_byte_array_append(all, buffer, (guint)n);
	return g_byte_array_free_to_bytes(g_steal_pointer(&all));
}

static GPtrArray *read_ops(const Pb__Definition *d, GError **error)
{
	g_autoptr(GPtrArray) ops = g_ptr_array_new_with_free_func(dumped_free);
	for (size_t i = 0; i < d->n_def; i++) {
		struct dumped *one = g_new0(struct dumped, 1);
		g_ptr_array_add(ops, one);
		one->op = guard_unpack(&pb__op__descriptor, d->def[i].data, d->def[i].len, error);
		if (!one->op)
			return error_prefix_null(error, "failed to parse op: ");
		digest_of(d->def[i].data, d->def[i].len, &one->digest);
		for (size_t k = 0; k < d->n_metadata && !one->metadata; k++)
			if (strcmp(d->metadata[k]->key, one->digest.text) == 0)
				one->metadata = d->metadata[k]->value;
	}
	return g_steal_pointer(&ops);
}

static void put_metadata(json_writer *w, const Pb__OpMetadata *m)
{
	json_object_begin(w);
	if (m && m->ignore_cache)
		json_put_bool_member_true(w, "ignore_cache", true);
	if (m && m->n_description > 0) {
		json_object_member_begin(w, "description");
		for (size_t i = 0; i < m->n_description; i++)
			json_put_string_member(w, m->description[i]->key, m->description[i]->value);
		json_object_end(w);
	}
	if (m && m->n_caps > 0) {
		json_object_member_begin(w, "caps");
		for (size_t i = 0; i < m->n_caps; i++) {
			json_put_bool_member(w, m->caps[i]->key, m->caps[i]->value);
		}
		json_object_end(w);
	}
	json_object_end(w);
}

static void append_json(GString *out, const struct dumped *d)
{
	json_writer *w = json_writer_new(0);
	g_autofree char *op = llb_op_json(d->op);
	json_object_begin(w);
	json_key(w, "Op");
	json_put_raw(w, op, strlen(op));
	json_put_string_member(w, "Digest", d->digest.text);
	json_key(w, "OpMetadata");
	put_metadata(w, d->metadata);
	json_object_end(w);
	g_autofree char *line = json_writer_take(&w, NULL);
	g_string_append_printf(out, "%s\n", line);
}

static const char *shape_of(const Pb__Op *op)
{
	switch (op->op_case) {
	case PB__OP__OP_SOURCE:
		return "ellipse";
	case PB__OP__OP_EXEC:
		return "box";
	case PB__OP__OP_BUILD:
		return "box3d";
	case PB__OP__OP_MERGE:
		return "invtriangle";
	case PB__OP__OP_DIFF:
		return "doublecircle";
	case PB__OP__OP_FILE:
		return "note";
	case PB__OP__OP_PASSTHROUGH:
	case PB__OP__OP__NOT_SET:
	case _PB__OP__OP__CASE_IS_INT_SIZE:
		break;
	}
	return "plaintext";
}

static char *file_label(const Pb__FileOp *file)
{
	GString *out = g_string_new(NULL);
	for (size_t i = 0; i < file->n_actions; i++) {
		const Pb__FileAction *a = file->actions[i];
		if (i)
			g_string_append_c(out, ',');
		if (a->action_case == PB__FILE_ACTION__ACTION_COPY)
			g_string_append_printf(out, "copy{src=%s, dest=%s}", a->copy->src, a->copy->dest);
		else if (a->action_case == PB__FILE_ACTION__ACTION_MKFILE)
			g_string_append_printf(out, "mkfile{path=%s}", a->mkfile->path);
		else if (a->action_case == PB__FILE_ACTION__ACTION_MKDIR)
			g_string_append_printf(out, "mkdir{path=%s}", a->mkdir->path);
		else if (a->action_case == PB__FILE_ACTION__ACTION_RM)
			g_string_append_printf(out, "rm{path=%s}", a->rm->path);
	}
	return g_string_free(out, FALSE);
}

static char *label_of(const struct dumped *d)
{
	const Pb__Op *op = d->op;
	if (op->op_case == PB__OP__OP_SOURCE)
		return g_strdup(op->source->identifier);
	if (op->op_case == PB__OP__OP_EXEC && op->exec->meta) {
		GString *out = g_string_new(NULL);
		for (size_t i = 0; i < op->exec->meta->n_args; i++)
			g_string_append_printf(out, "%s%s", i ? " " : "", op->exec->meta->args[i]);
		return g_string_free(out, FALSE);
	}
	if (op->op_case == PB__OP__OP_FILE)
		return file_label(op->file);
	static const struct {
		Pb__Op__OpCase type;
		const char *label;
	} others[] = {{PB__OP__OP_BUILD, "build"}, {PB__OP__OP_MERGE, "merge"}, {PB__OP__OP_DIFF, "diff"}};
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		if (others[i].type == op->op_case)
			return g_strdup(others[i].label);
	return g_strdup(d->digest.text);
}

static const char *edge_label(const Pb__Op *op, size_t input)
{
	if (op->op_case != PB__OP__OP_EXEC)
		return "";
	for (size_t i = 0; i < op->exec->n_mounts; i++)
		if (op->exec->mounts[i]->input == (int64_t)input && strcmp(op->exec->mounts[i]->dest, "/") != 0)
			return op->exec->mounts[i]->dest;
	return "";
}

static void append_dot(GString *out, GPtrArray *ops)
{
	g_string_append(out, "digraph {\n");
	for (guint i = 0; i < ops->len; i++) {
		const struct dumped *d = ops->pdata[i];
		g_autofree char *label = label_of(d), *quoted = go_quote(label);
		g_string_append_printf(out, "  \"%s\" [label=%s shape=\"%s\"];\n", d->digest.text, quoted,
				       shape_of(d->op));
	}
	for (guint i = 0; i < ops->len; i++) {
		const struct dumped *d = ops->pdata[i];
		for (size_t k = 0; k < d->op->n_inputs; k++)
			g_string_append_printf(out, "  \"%s\" -> \"%s\" [label=\"%s\"];\n", d->op->inputs[k]->digest,
					       d->digest.text, edge_label(d->op, k));
	}
	g_string_append(out, "}\n");
}

static bool run(struct context *x, const flags *f, GError **error)
{
	g_autoptr(GBytes) bytes = read_input(flags_rest(f)[0], error);
	if (!bytes)
		return false;
	Pb__Definition *d = message_unpack(&pb__definition__descriptor, bytes, error);
	g_autoptr(GPtrArray) ops = d ? read_ops(d, error) : NULL;
	g_autoptr(GString) out = g_string_new(NULL);
	if (ops && flags_bool(f, "dot"))
		append_dot(out, ops);
	else
		for (guint i = 0; ops && i < ops->len; i++)
			append_json(out, ops->pdata[i]);
	bool ok = ops && print_text(out->str, error);
	guard_free(d);
	return ok;
}

const struct command dump_llb_command = {"dump-llb", "print the LLB of a file or of standard input; needs no daemon",
					 dump_flags, G_N_ELEMENTS(dump_flags),
					 run,        .arguments = "[options] [FILE|-]"};
