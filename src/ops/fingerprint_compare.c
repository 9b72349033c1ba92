/* SPDX-License-Identifier: Apache-2.0 */
/* Describes how two runs of a step differ, and reports that for a running op. */
#include "ops/fingerprint_internal.h"
#include "progress/progress.h"
#include <string.h>

#define NAMED 3 /* maximum number of files and facts named in the reason */
#define REASON_BYTES 400
#define ALIKE 200  /* score that counts as similar: twenty files */
#define COMPARED 4 /* number of earlier runs that a running op is compared with */

void fingerprint_change_free(fingerprint_change *c)
{
	if (!c)
		return;
	g_free(c->reason);
	g_ptr_array_unref(c->facts);
	g_ptr_array_unref(c->files);
	g_free(c);
}

static void fact_free(void *data)
{
	struct fingerprint_fact *f = data;
	g_free(f->name);
	g_free(f->before);
	g_free(f->after);
	g_free(f);
}

static void file_free(void *data)
{
	struct fingerprint_file *f = data;
	g_free(f->path);
	g_free(f);
}

/* ---- facts */

static char *shown_value(const struct fact *f)
{
	return f ? g_strdup(f->shown ? f->value : "") : NULL;
}

static const struct fact *find_fact(const fingerprint *s, const char *name)
{
	for (guint i = 0; i < s->facts->len; i++)
		if (strcmp(((const struct fact *)s->facts->pdata[i])->name, name) == 0)
			return s->facts->pdata[i];
	return NULL;
}

/* Variables are named after the instruction that set them, in either run. */
static char *spoken_name(const fingerprint *before, const fingerprint *now, const char *name)
{
	if (!g_str_has_prefix(name, VARIABLE_FACT))
		return g_strdup(name);
	const char *variable = name + strlen(VARIABLE_FACT);
	g_autofree char *argument = g_strconcat(ARGUMENT_FACT, variable, NULL);
	bool is_argument = find_fact(before, argument) || find_fact(now, argument);
	return g_strconcat(is_argument ? "build-arg " : "environment variable ", variable, NULL);
}

static bool is_compared(const char *name)
{
	return strcmp(name, DEFINITION_FACT) != 0 && !g_str_has_prefix(name, ARGUMENT_FACT);
}

static void note_fact(fingerprint_change *c, char *name /* taken */, const struct fact *before, const struct fact *now)
{
	struct fingerprint_fact *f = g_new(struct fingerprint_fact, 1);
	*f = (struct fingerprint_fact){name, shown_value(before), shown_value(now)};
	g_ptr_array_add(c->facts, f);
}

static void compare_facts(fingerprint_change *c, const fingerprint *before, const fingerprint *now)
{
	for (guint i = 0, k = 0; i < before->facts->len || k < now->facts->len;) {
		const struct fact *x = i < before->facts->len ? before->facts->pdata[i] : NULL;
		const struct fact *y = k < now->facts->len ? now->facts->pdata[k] : NULL;
		int order = !x ? 1 : !y ? -1 : strcmp(x->name, y->name);
		const char *name = (order <= 0 ? x : y)->name;
		bool differ = order != 0 || strcmp(x->value, y->value) != 0;
		if (differ && is_compared(name))
			note_fact(c, spoken_name(before, now, name), order <= 0 ? x : NULL, order >= 0 ? y : NULL);
		i += order <= 0;
		k += order >= 0;
	}
}

static const char *fact_value(const fingerprint *s, const char *name)
{
	const struct fact *f = find_fact(s, name);
	return f ? f->value : "";
}

static char *facts_reason(const fingerprint_change *c)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < MIN(c->facts->len, NAMED); i++) {
		const struct fingerprint_fact *f = c->facts->pdata[i];
		const char *how = !f->before ? "is new" : !f->after ? "is gone" : "changed";
		g_string_append_printf(text, "%s%s %s", i > 0 ? ", " : "", f->name, how);
	}
	if (c->facts->len > NAMED)
		g_string_append_printf(text, " and %u more", c->facts->len - NAMED);
	return g_string_free(text, FALSE);
}

/* ---- files */

static void note_file(fingerprint_change *c, const struct contenthash_entry *e, char what)
{
	struct fingerprint_file *f = g_new(struct fingerprint_file, 1);
	*f = (struct fingerprint_file){g_strdup(e->path[0] == '/' && e->path[1] ? e->path + 1 : e->path), what};
	g_ptr_array_add(c->files, f);
}

static void compare_files(fingerprint_change *c, const struct input *before, const struct input *now)
{
	for (guint i = 0, k = 0; i < before->files->len || k < now->files->len;) {
		const struct contenthash_entry *x = i < before->files->len ? before->files->pdata[i] : NULL;
		const struct contenthash_entry *y = k < now->files->len ? now->files->pdata[k] : NULL;
		int order = !x ? 1 : !y ? -1 : fingerprint_path_order(x->path, y->path);
		c->total += !g_str_has_suffix((order <= 0 ? x : y)->path, "/");
		if (order == 0 && x->digest != y->digest)
			note_file(c, y, '~');
		else if (order < 0)
			note_file(c, x, '-');
		else if (order > 0)
			note_file(c, y, '+');
		i += order <= 0;
		k += order >= 0;
	}
}

static void append_count(GString *s, guint n)
{
	g_autofree char *digits = g_strdup_printf("%u", n);
	size_t len = strlen(digits);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			g_string_append_c(s, ',');
		g_string_append_c(s, digits[i]);
	}
}

static char *files_reason(const fingerprint_change *c, const fingerprint *now)
{
	GString *text = g_string_new(now->name);
	g_string_append(text, ": ");
	append_count(text, c->files->len);
	g_string_append(text, c->all ? " of " : " of more than ");
	append_count(text, MAX(c->total, c->files->len));
	g_string_append(text, c->files->len > 1         ? " files differ: "
			      : c->all && c->total <= 1 ? " file differs: "
							: " files differs: ");
	for (guint i = 0; i < MIN(c->files->len, NAMED); i++)
		g_string_append_printf(text, "%s%s", i > 0 ? ", " : "",
				       ((struct fingerprint_file *)c->files->pdata[i])->path);
	if (c->files->len > NAMED) {
		g_string_append(text, " and ");
		append_count(text, c->files->len - NAMED);
		g_string_append(text, " more");
	}
	return g_string_free(text, FALSE);
}

/* ---- inputs */

static char *input_reason(const struct input *before, const struct input *now)
{
	if (now->content)
		return g_strdup_printf("files of %s differ", now->what);
	const char *was = strstr(before->result, "@sha256:"), *is = strstr(now->result, "@sha256:");
	if (was && is)
		return g_strdup_printf("image %.*s changed: %.19s, now %.19s", (int)(is - now->result), now->result,
				       was + 1, is + 1);
	return g_strdup_printf("%s ran again", now->what);
}

/* Describes changed files of all inputs and the first other input that differs. */
static char *compare_inputs(fingerprint_change *c, const fingerprint *before, const fingerprint *now)
{
	char *reason = NULL;
	for (guint i = 0; i < MIN(before->inputs->len, now->inputs->len); i++) {
		const struct input *x = before->inputs->pdata[i], *y = now->inputs->pdata[i];
		guint known = c->files->len;
		if (x->content && y->content)
			compare_files(c, x, y);
		c->all &= x->all && y->all;
		if (!reason && strcmp(x->result, y->result) != 0 && c->files->len == known)
			reason = input_reason(x, y);
	}
	if (!reason && before->inputs->len != now->inputs->len)
		reason = g_strdup("it has other inputs");
	return reason;
}

fingerprint_change *fingerprint_compare(const fingerprint *before, const fingerprint *now)
{
	fingerprint_change *c = g_new0(fingerprint_change, 1);
	c->all = true;
	c->facts = g_ptr_array_new_with_free_func(fact_free);
	c->files = g_ptr_array_new_with_free_func(file_free);
	compare_facts(c, before, now);
	g_autofree char *input = compare_inputs(c, before, now);
	if (c->facts->len > 0)
		c->reason = facts_reason(c);
	else if (c->files->len > 0)
		c->reason = files_reason(c, now);
	else if (input)
		c->reason = g_steal_pointer(&input);
	else if (strcmp(fact_value(before, DEFINITION_FACT), fact_value(now, DEFINITION_FACT)) != 0)
		c->reason = g_strdup("its definition changed");
	else
		c->reason = g_strdup("");
	return c;
}

/* ---- the running op */

/* Finds the most similar earlier run: equal steps of several projects share one identity. */
static char *reason_of(GPtrArray *rows, const fingerprint *now)
{
	g_autofree char *best = NULL;
	guint best_score = G_MAXUINT;
	for (guint i = 0; i < rows->len; i++) {
		g_autoptr(fingerprint) before = fingerprint_unpack(((struct fingerprint_row *)rows->pdata[i])->bytes);
		if (!before)
			continue;
		g_autoptr(fingerprint_change) c = fingerprint_compare(before, now);
		guint score = c->facts->len * 1000 + MIN(c->files->len * 10, 100000) + (*c->reason ? 1 : 0);
		if (score >= best_score)
			continue;
		if (score <= ALIKE && i == 0 && *c->reason)
			return g_steal_pointer(&c->reason); /* other runs would hardly be more similar */
		best_score = score;
		g_free(best);
		best = g_steal_pointer(&c->reason);
	}
	if (best && !*best)
		return g_strdup("the earlier result is not there any more");
	return g_steal_pointer(&best);
}

static void tell(const fingerprint *s, struct work *work)
{
	g_autofree char *cut = g_strndup(s->reason, REASON_BYTES);
	g_autofree char *valid = g_utf8_make_valid(cut, -1);
	g_autofree char *id = g_strdup_printf("cache miss: %s", valid);
	int64_t now = progress_now_ns();
	/* An incomplete status would keep clients from showing the vertex as done. */
	progress_status(work->progress, &(struct progress_status){.id = id, .started_ns = now, .completed_ns = now});
}

fingerprint *fingerprint_begin(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work)
{
	if (!op->worker->fingerprints || !op->ref)
		return NULL;
	fingerprint *s = fingerprint_new(op, inputs, n_inputs, work);
	if (!s || op->v->ignore_cache)
		return s;
	g_autoptr(GPtrArray) rows = fingerprint_store_find(op->worker->fingerprints, s->identity, COMPARED);
	s->reason = reason_of(rows, s);
	if (s->reason)
		tell(s, work);
	return s;
}

void fingerprint_keep(const struct op *op, fingerprint *s)
{
	if (!s)
		return;
	g_autoptr(GBytes) bytes = fingerprint_pack(s);
	fingerprint_store_add(op->worker->fingerprints,
			      &(struct fingerprint_row){.identity = s->identity,
							.ref = op->ref,
							.name = (char *)op->v->name,
							.reason = s->reason ? s->reason : (char *)"",
							.created_ns = progress_now_ns(),
							.bytes = bytes});
}
