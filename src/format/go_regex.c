/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of an expression becomes a program, which runs as a set of threads (Pike's machine): a rune moves every
 * thread at most once, so that a match costs instructions times runes at worst. The order of threads is their priority,
 * and with it Go's choice among the leftmost matches.
 */
#include "format/go_regex.h"
#include "base/limits.h"
#include "format/go_regex_syntax.h"
#include "format/gorune.h"
#include <limits.h>
#include <string.h>

enum inst_op {
	INST_SET,
	INST_ASSERT,
	INST_SAVE,  /* remembers the position in a slot */
	INST_SPLIT, /* goes on at first, then at second */
	INST_JUMP,  /* goes on at first */
	INST_MATCH,
};
struct inst {
	enum inst_op op;
	union {
		struct {
			guint first, second;
		};
		guint slot;
		enum regex_assert assert;
		struct {
			struct regex_set set;
			uint64_t ascii[2]; /* the set below 128 */
		};
	};
};
struct go_regex {
	char *text;
	struct regex_tree tree; /* root is NULL once compiled */
	GArray *program;        /* element type: struct inst */
	char *prefix, *suffix;  /* every match of the whole text begins and ends with them */
	size_t n_prefix, n_suffix;
};

static struct inst *inst_at(const go_regex *re, guint i)
{
	return &g_array_index(re->program, struct inst, i);
}

/* ---- compiling */

static bool is_full(const go_regex *re)
{
	return re->program->len >= LIMIT_REGEX_PROGRAM;
}

static guint emit(go_regex *re, struct inst inst)
{
	if (!is_full(re))
		g_array_append_val(re->program, inst);
	return re->program->len - 1;
}

static guint emit_split(go_regex *re)
{
	return emit(re, (struct inst){.op = INST_SPLIT});
}

/* A split goes to the body, which follows it, or to where the program now ends. */
static void split_finish(go_regex *re, guint split, bool lazy)
{
	guint end = re->program->len;
	struct inst *inst = inst_at(re, split);
	inst->first = lazy ? end : split + 1;
	inst->second = lazy ? split + 1 : end;
}

static void compile(go_regex *re, const struct regex_node *node);

/* At least once. */
static void compile_plus(go_regex *re, const struct regex_node *node)
{
	guint body = re->program->len;
	compile(re, node->first);
	guint split = emit_split(re);
	inst_at(re, split)->first = node->lazy ? split + 1 : body;
	inst_at(re, split)->second = node->lazy ? body : split + 1;
}

static void compile_repeat(go_regex *re, const struct regex_node *node)
{
	for (int i = 0; i < node->min - (node->max < 0) && !is_full(re); i++)
		compile(re, node->first);
	if (node->max < 0 && node->min > 0) {
		compile_plus(re, node);
	} else if (node->max < 0) {
		guint split = emit_split(re);
		compile_plus(re, node);
		split_finish(re, split, node->lazy);
	} else {
		g_autoptr(GArray) splits = g_array_new(FALSE, FALSE, sizeof(guint));
		for (int i = node->min; i < node->max && !is_full(re); i++) {
			guint split = emit_split(re);
			g_array_append_val(splits, split);
			compile(re, node->first);
		}
		for (guint i = 0; i < splits->len; i++)
			split_finish(re, g_array_index(splits, guint, i), node->lazy);
	}
}

static void compile_alternate(go_regex *re, const struct regex_node *child)
{
	g_autoptr(GArray) jumps = g_array_new(FALSE, FALSE, sizeof(guint));
	for (; child->next && !is_full(re); child = child->next) {
		guint split = emit_split(re);
		compile(re, child);
		guint jump = emit(re, (struct inst){.op = INST_JUMP});
		g_array_append_val(jumps, jump);
		split_finish(re, split, false);
	}
	compile(re, child);
	for (guint i = 0; i < jumps->len; i++)
		inst_at(re, g_array_index(jumps, guint, i))->first = re->program->len;
}

static void compile(go_regex *re, const struct regex_node *node)
{
	switch (node->kind) {
	case REGEX_SET: {
		struct inst inst = {.op = INST_SET, .set = node->set};
		for (gunichar rune = 0; rune < 128; rune++)
			if (regex_set_has(re->tree.items, &node->set, rune))
				inst.ascii[rune / 64] |= UINT64_C(1) << (rune % 64);
		emit(re, inst);
		break;
	}
	case REGEX_ASSERT:
		emit(re, (struct inst){.op = INST_ASSERT, .assert = node->assert});
		break;
	case REGEX_CAPTURE:
		emit(re, (struct inst){.op = INST_SAVE, .slot = 2 * node->group});
		compile(re, node->first);
		emit(re, (struct inst){.op = INST_SAVE, .slot = 2 * node->group + 1});
		break;
	case REGEX_CONCAT:
		for (const struct regex_node *child = node->first; child && !is_full(re); child = child->next)
			compile(re, child);
		break;
	case REGEX_ALTERNATE:
		compile_alternate(re, node->first);
		break;
	case REGEX_REPEAT:
		compile_repeat(re, node);
		break;
	case REGEX_EMPTY:
		break;
	}
}

/* The rune that a set consists of, or 0. */
static gunichar single_rune(const go_regex *re, const struct regex_node *node)
{
	if (node->kind != REGEX_SET || node->set.n != 1 || node->set.negated || node->set.fold)
		return 0;
	const struct regex_item *item = &g_array_index(re->tree.items, struct regex_item, node->set.first);
	bool is_single = item->kind == ITEM_RANGE && item->low == item->high && !item->negated;
	return is_single && item->low != RUNE_ERROR ? item->low : 0;
}

static void find_literals(go_regex *re)
{
	g_autoptr(GString) prefix = g_string_new(NULL), suffix = g_string_new(NULL);
	bool at_start = true;
	const struct regex_node *node = re->tree.root->first;
	for (node = node->next ? NULL : node->first; node; node = node->next) {
		gunichar rune = single_rune(re, node);
		at_start = at_start && rune;
		if (at_start)
			g_string_append_unichar(prefix, rune);
		if (rune)
			g_string_append_unichar(suffix, rune);
		else
			g_string_truncate(suffix, 0);
	}
	re->n_prefix = prefix->len;
	re->n_suffix = suffix->len;
	re->prefix = g_string_free(g_steal_pointer(&prefix), FALSE);
	re->suffix = g_string_free(g_steal_pointer(&suffix), FALSE);
}

static size_t n_slots(const go_regex *re)
{
	return 2 * ((size_t)re->tree.names->len + 1);
}

go_regex *go_regex_new(const char *text, GError **error)
{
	if (strlen(text) > LIMIT_REGEX_BYTES)
		return error_null(error, ERROR_INVALID_ARGUMENT, "regular expression of %zu bytes, limit is %lld",
				  strlen(text), LIMIT_REGEX_BYTES);
	g_autoptr(go_regex) re = g_new0(go_regex, 1);
	re->text = g_strdup(text);
	re->tree.memory = arena_new();
	re->tree.items = g_array_new(FALSE, FALSE, sizeof(struct regex_item));
	re->tree.names = g_ptr_array_new_with_free_func(g_free);
	re->program = g_array_new(FALSE, FALSE, sizeof(struct inst));
	if (!regex_parse(text, &re->tree, error))
		return NULL;
	compile(re, re->tree.root);
	emit(re, (struct inst){.op = INST_MATCH});
	find_literals(re);
	g_clear_pointer(&re->tree.memory, arena_free);
	re->tree.root = NULL;
	if (is_full(re))
		return error_null(error, ERROR_INVALID_ARGUMENT, "error parsing regexp: expression too large");
	return g_steal_pointer(&re);
}

void go_regex_free(go_regex *re)
{
	if (!re)
		return;
	g_clear_pointer(&re->tree.memory, arena_free);
	g_array_unref(re->tree.items);
	g_ptr_array_unref(re->tree.names);
	g_array_unref(re->program);
	g_free(re->prefix);
	g_free(re->suffix);
	g_free(re->text);
	g_free(re);
}

/* ---- running */

#define NOWHERE SIZE_MAX

struct threads {
	guint *at; /* instructions, highest priority first */
	guint n;
	size_t *slots; /* n_slots of each; NULL when none are wanted */
};
/* To do: follow an instruction, or restore a slot once what follows its change is done. */
struct task {
	guint inst;
	bool restores;
	size_t value;
};
struct machine {
	const go_regex *re;
	const struct inst *program;
	const char *text;
	size_t n, n_slots;
	struct threads now, next;
	guint *seen; /* by instruction: the generation of threads that it is in */
	guint generation;
	struct task *tasks;
	size_t *slots; /* of the thread being followed */
	long long steps, max_steps;
};

static bool is_word(const struct machine *m, size_t pos)
{
	return pos < m->n && (g_ascii_isalnum(m->text[pos]) || m->text[pos] == '_');
}

static bool assert_holds(const struct machine *m, enum regex_assert what, size_t pos)
{
	bool is_boundary = (pos > 0 && is_word(m, pos - 1)) != is_word(m, pos);
	switch (what) {
	case ASSERT_BEGIN:
		return pos == 0;
	case ASSERT_END:
		return pos == m->n;
	case ASSERT_LINE_BEGIN:
		return pos == 0 || m->text[pos - 1] == '\n';
	case ASSERT_LINE_END:
		return pos == m->n || m->text[pos] == '\n';
	case ASSERT_WORD:
		return is_boundary;
	case ASSERT_NOT_WORD:
		return !is_boundary;
	}
	return false;
}

/* Adds the threads that an instruction leads to without a rune. */
static void follow(struct machine *m, struct threads *to, guint start, size_t pos)
{
	size_t n = 0;
	m->tasks[n++] = (struct task){.inst = start};
	while (n > 0) {
		struct task task = m->tasks[--n];
		if (task.restores) {
			m->slots[task.inst] = task.value;
			continue;
		}
		for (guint i = task.inst; m->seen[i] != m->generation;) {
			const struct inst *inst = &m->program[i];
			m->seen[i] = m->generation;
			m->steps++;
			if (inst->op == INST_JUMP) {
				i = inst->first;
			} else if (inst->op == INST_SPLIT) {
				m->tasks[n++] = (struct task){.inst = inst->second};
				i = inst->first;
			} else if (inst->op == INST_SAVE) {
				if (inst->slot < m->n_slots) {
					m->tasks[n++] = (struct task){inst->slot, true, m->slots[inst->slot]};
					m->slots[inst->slot] = pos;
				}
				i++;
			} else if (inst->op == INST_ASSERT && assert_holds(m, inst->assert, pos)) {
				i++;
			} else if (inst->op != INST_ASSERT) {
				if (m->n_slots > 0)
					memcpy(to->slots + to->n * m->n_slots, m->slots, m->n_slots * sizeof *m->slots);
				to->at[to->n++] = i;
			}
		}
	}
}

static bool inst_takes(const go_regex *re, const struct inst *inst, gunichar rune)
{
	return rune < 128 ? inst->ascii[rune / 64] >> (rune % 64) & 1 : regex_set_has(re->tree.items, &inst->set, rune);
}

/* Moves all threads over the rune. True: one matched; threads behind it are dropped, and ret_slots is set if wanted. */
static bool step(struct machine *m, size_t pos, size_t width, gunichar rune, bool whole, size_t *ret_slots)
{
	m->next.n = 0;
	m->generation++;
	for (guint i = 0; i < m->now.n; i++) {
		const struct inst *inst = &m->program[m->now.at[i]];
		const size_t *slots = m->now.slots + i * m->n_slots;
		if (inst->op == INST_MATCH && (!whole || pos == m->n)) {
			if (m->n_slots > 0) {
				memcpy(ret_slots, slots, m->n_slots * sizeof *slots);
				ret_slots[1] = pos;
			}
			return true;
		}
		if (inst->op != INST_SET || width == 0 || !inst_takes(m->re, inst, rune))
			continue;
		if (m->n_slots > 0)
			memcpy(m->slots, slots, m->n_slots * sizeof *slots);
		follow(m, &m->next, m->now.at[i] + 1, pos + width);
	}
	return false;
}

/* From start on; whole: all the text and nothing else. */
static bool machine_run(struct machine *m, size_t start, bool whole, size_t *ret_slots)
{
	bool matched = false;
	m->now.n = 0;
	m->generation++;
	for (size_t pos = start; m->steps <= m->max_steps;) {
		if (!matched && (!whole || pos == start)) {
			for (size_t i = 0; i < m->n_slots; i++)
				m->slots[i] = i == 0 ? pos : NOWHERE;
			follow(m, &m->now, 0, pos);
		}
		gunichar rune = 0;
		size_t width = pos < m->n ? rune_decode(m->text + pos, m->text + m->n, &rune) : 0;
		matched = step(m, pos, width, rune, whole, ret_slots) || matched;
		if (width == 0 || (matched && (m->n_slots == 0 || m->next.n == 0)) || (whole && m->next.n == 0))
			break;
		struct threads swap = m->now;
		m->now = m->next;
		m->next = swap;
		pos += width;
	}
	return matched;
}

static size_t machine_size(const go_regex *re, size_t slots)
{
	size_t n = re->program->len;
	return 2 * n * slots * sizeof(size_t) + slots * sizeof(size_t) + (2 * n + 1) * sizeof(struct task) +
	       3 * n * sizeof(guint);
}

/* memory: zeroed, machine_size() bytes. */
static struct machine machine_make(const go_regex *re, const char *text, size_t n_text, size_t slots, void *memory)
{
	size_t n = re->program->len;
	struct machine m = {.re = re,
			    .program = inst_at(re, 0),
			    .text = text,
			    .n = n_text,
			    .n_slots = slots,
			    .max_steps = LIMIT_REGEX_STEPS};
	m.now.slots = memory;
	m.next.slots = m.now.slots + n * slots;
	m.slots = m.next.slots + n * slots;
	m.tasks = (struct task *)(m.slots + slots);
	m.now.at = (guint *)(m.tasks + 2 * n + 1);
	m.next.at = m.now.at + n;
	m.seen = m.next.at + n;
	return m;
}

static bool check_steps(const struct machine *m, GError **error)
{
	return m->steps <= m->max_steps ||
	       error_set(error, ERROR_RESOURCE_EXHAUSTED, "matching regexp `%s`: match limit exceeded", m->re->text);
}

bool go_regex_match(const go_regex *re, const char *subject, bool *ret, GError **error)
{
	g_autofree void *memory = g_malloc0(machine_size(re, 0));
	struct machine m = machine_make(re, subject, strlen(subject), 0, memory);
	bool matches = machine_run(&m, 0, false, NULL);
	if (!check_steps(&m, error))
		return false;
	*ret = matches;
	return true;
}

bool go_regex_match_whole(const go_regex *re, const char *subject, size_t n)
{
	if (n < re->n_prefix || n < re->n_suffix || memcmp(subject, re->prefix, re->n_prefix) != 0 ||
	    memcmp(subject + n - re->n_suffix, re->suffix, re->n_suffix) != 0)
		return false;
	max_align_t small[4096 / sizeof(max_align_t)];
	size_t size = machine_size(re, 0);
	g_autofree void *large = size > sizeof small ? g_malloc0(size) : NULL;
	if (!large)
		memset(small, 0, size);
	struct machine m = machine_make(re, subject, n, 0, large ? large : small);
	m.max_steps = LLONG_MAX; /* one pass over a path */
	return machine_run(&m, 0, true, NULL);
}

struct match {
	const go_regex *re;
	const char *subject;
	size_t *slots;
};

/* number -1: by name. */
static bool find_group(void *data, const char *name, int number, const char **ret_text, size_t *ret_n)
{
	const struct match *m = data;
	const GPtrArray *names = m->re->tree.names;
	for (guint i = 0; number < 0 && i < names->len; i++)
		if (g_str_equal(names->pdata[i], name))
			number = (int)i + 1;
	if (number < 0 || (guint)number > names->len || m->slots[2 * number + 1] == NOWHERE)
		return false;
	*ret_text = m->subject + m->slots[2 * number];
	*ret_n = m->slots[2 * number + 1] - m->slots[2 * number];
	return true;
}

char *go_regex_replace_all(const go_regex *re, const char *subject, const char *template, size_t max, GError **error)
{
	size_t n = strlen(subject), last = 0;
	if (re->program->len * n_slots(re) > (size_t)LIMIT_REGEX_SLOTS)
		return error_null(error, ERROR_RESOURCE_EXHAUSTED, "regexp `%s` has too many groups", re->text);
	g_autofree void *memory = g_malloc0(machine_size(re, n_slots(re)));
	g_autofree size_t *slots = g_new0(size_t, n_slots(re));
	g_autoptr(GString) out = g_string_new(NULL);
	struct machine m = machine_make(re, subject, n, n_slots(re), memory);
	struct match match = {re, subject, slots};
	bool fits = true;
	for (size_t next = 0; fits && next <= n && machine_run(&m, next, false, slots);) {
		size_t from = slots[0], to = slots[1];
		g_string_append_len(out, subject + last, (gssize)(from - last));
		if (to > last || from == 0) /* an empty match right behind another one is none */
			fits = template_expand(template, find_group, &match, max, out);
		last = to;
		gunichar rune;
		next = MAX(to, next + (next < n ? rune_decode(subject + next, subject + n, &rune) : 1));
	}
	if (!check_steps(&m, error))
		return NULL;
	g_string_append(out, subject + last);
	if (!fits || out->len > max)
		return error_null(error, ERROR_RESOURCE_EXHAUSTED,
				  "replacement of regexp `%s` is longer than %zu bytes", re->text, max);
	return g_string_free(g_steal_pointer(&out), FALSE);
}
