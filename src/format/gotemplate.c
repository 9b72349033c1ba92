/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotemplate.h"
#include "base/text.h"
#include "format/gotype.h"
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define WORDS_MAX 32
#define TEMPLATE_BYTES_MAX (64 << 10)
#define OUTPUT_BYTES_MAX (64 << 20)
#define STEPS_MAX 1000000

enum kind { KIND_TEXT, KIND_OUTPUT, KIND_IF, KIND_WITH, KIND_RANGE, KIND_ELSE, KIND_END };

struct node {
	enum kind kind;
	char *text;       /* owned: the text, or the pipeline */
	guint other, end; /* of a block: index of its else (or end), and of its end; of else: end */
};

/* A block being executed. */
struct frame {
	enum kind kind;
	guint node;
	json_t *dot;   /* owned: the outer value of "." */
	json_t *items; /* owned: the list of range */
	size_t next;
};

struct render {
	GArray *nodes;
	json_t *root, *dot; /* dot is owned */
	struct frame frames[DEPTH_MAX];
	size_t depth, steps;
	GString *out;
};

static bool fail(GError **error, const char *what, const char *text)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "template: :1: %s \"%s\"", what, text);
}

static void node_clear(gpointer data)
{
	g_free(((struct node *)data)->text);
}

static void unref(gpointer value)
{
	json_decref(value);
}

static const char *skip_quoted(const char *p)
{
	char quote = *p++;
	while (*p && *p != quote)
		p += *p == '\\' && quote == '"' && p[1] ? 2 : 1;
	return *p ? p + 1 : NULL;
}

/* Finds the action's "}}". */
static const char *action_end(const char *p)
{
	if (g_str_has_prefix(p, "/*") && (p = strstr(p, "*/")))
		p = strstr(p, "}}");
	else
		while (p && *p && !g_str_has_prefix(p, "}}"))
			p = *p == '"' || *p == '`' ? skip_quoted(p) : p + 1;
	return p && *p ? p : NULL;
}

static struct node node_of(const char *action)
{
	static const struct {
		const char *word;
		enum kind kind;
	} words[] = {
		{"if", KIND_IF}, {"with", KIND_WITH}, {"range", KIND_RANGE}, {"else", KIND_ELSE}, {"end", KIND_END}};
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		size_t n = strlen(words[i].word);
		if (strncmp(action, words[i].word, n) == 0 && (action[n] == '\0' || g_ascii_isspace(action[n])))
			return (struct node){words[i].kind, g_strstrip(g_strdup(action + n)), 0, 0};
	}
	return (struct node){KIND_OUTPUT, g_strdup(action), 0, 0};
}

static void add_text(GArray *nodes, const char *text, size_t n, bool trim_left, bool trim_right)
{
	struct node node = {KIND_TEXT, g_strndup(text, n), 0, 0};
	if (trim_left)
		g_strchug(node.text);
	if (trim_right)
		g_strchomp(node.text);
	g_array_append_val(nodes, node);
}

static bool split(const char *p, GArray *nodes, GError **error)
{
	bool trim = false;
	for (const char *open; (open = strstr(p, "{{"));) {
		const char *start = open + 2;
		bool before = start[0] == '-' && g_ascii_isspace(start[1]);
		add_text(nodes, p, (size_t)(open - p), trim, before);
		start += before;
		while (g_ascii_isspace(*start))
			start++;
		const char *end = action_end(start);
		if (!end)
			return fail(error, "unclosed action", open);
		trim = end - start >= 2 && end[-1] == '-' && g_ascii_isspace(end[-2]);
		g_autofree char *action = g_strstrip(g_strndup(start, (size_t)(end - start) - trim));
		p = end + 2;
		if (g_str_has_prefix(action, "/*"))
			continue;
		if (!*action)
			return fail(error, "missing value for command", action);
		struct node node = node_of(action);
		g_array_append_val(nodes, node);
	}
	add_text(nodes, p, strlen(p), trim, false);
	return true;
}

/* Links each block with its else and end. */
static bool match_blocks(GArray *nodes, GError **error)
{
	guint open[DEPTH_MAX];
	size_t depth = 0;
	for (guint i = 0; i < nodes->len; i++) {
		struct node *n = &g_array_index(nodes, struct node, i);
		if (n->kind == KIND_TEXT || n->kind == KIND_OUTPUT)
			continue;
		if (n->kind != KIND_ELSE && n->kind != KIND_END) {
			if (depth == DEPTH_MAX)
				return error_set(error, ERROR_RESOURCE_EXHAUSTED,
						 "template: blocks nest deeper than %d", DEPTH_MAX);
			open[depth++] = i;
			continue;
		}
		if (*n->text)
			return error_set(error, ERROR_UNIMPLEMENTED, "template: \"else %s\" is not supported", n->text);
		struct node *block = depth ? &g_array_index(nodes, struct node, open[depth - 1]) : NULL;
		if (!block || (n->kind == KIND_ELSE && block->other))
			return fail(error, "unexpected", n->kind == KIND_ELSE ? "else" : "end");
		if (n->kind == KIND_ELSE) {
			block->other = i;
			continue;
		}
		block->end = i;
		if (block->other)
			g_array_index(nodes, struct node, block->other).end = i;
		else
			block->other = i;
		depth--;
	}
	return depth == 0 || fail(error, "unexpected EOF after", "{{");
}

/* Matches Go field names: "GCPolicy" is gcPolicy, "MediaType" media_type, "OSVersion" os.version. */
static bool same_name(const char *key, const char *field)
{
	for (;; key++, field++) {
		while (*key == '_' || *key == '.')
			key++;
		if (g_ascii_tolower(*key) != g_ascii_tolower(*field))
			return false;
		if (!*key)
			return true;
	}
}

static json_t *member_of(json_t *object, const char *name)
{
	json_t *exact = json_object_get(object, name), *value;
	const char *key;
	if (exact)
		return exact;
	json_object_foreach(object, key, value) if (same_name(key, name)) return value;
	return NULL;
}

/* Returns a copy without GOTEMPLATE_FIELDS. The depth is limited by the parser. */
static json_t *without_fields(const json_t *v)
{
	json_t *copy, *value;
	const char *key;
	size_t i;
	if (json_is_array(v)) {
		copy = json_array();
		json_array_foreach(v, i, value) json_array_append_new(copy, without_fields(value));
		return copy;
	}
	if (!json_is_object(v))
		return json_incref((json_t *)(uintptr_t)v);
	copy = json_object();
	json_object_foreach((json_t *)(uintptr_t)v, key, value)
	{
		if (strcmp(key, GOTEMPLATE_FIELDS) != 0)
			json_object_set_new(copy, key, without_fields(value));
	}
	return copy;
}

/* Follows ".A.B" from a value; a missing member gives null. */
static json_t *follow(json_t *value, const char *path, GError **error)
{
	g_auto(GStrv) names = g_strsplit(*path == '.' ? path + 1 : path, ".", -1);
	for (char **name = names; value && *name && **names; name++) {
		if (!json_is_object(value) && !json_is_null(value)) {
			fail(error, "can't evaluate field", *name);
			return NULL;
		}
		json_t *shown = member_of(json_object_get(value, GOTEMPLATE_FIELDS), *name);
		value = shown ? shown : member_of(value, *name);
		if (!value)
			return json_null();
	}
	return json_incref(value);
}

/* Returns the value of an operand, NULL without an error if the word is not an operand. */
static json_t *operand(struct render *r, const char *word, GError **error)
{
	int64_t number;
	if (*word == '.')
		return follow(r->dot, word, error);
	if (*word == '$' && (word[1] == '\0' || word[1] == '.'))
		return follow(r->root, word + 1, error);
	if (*word == '"' || *word == '`') {
		g_autofree char *inner = g_strndup(word + 1, strlen(word) - 2);
		g_autofree char *plain = *word == '"' ? g_strcompress(inner) : NULL;
		json_t *text = json_string(plain ? plain : inner);
		if (!text)
			fail(error, "bad string", word);
		return text;
	}
	if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
		return json_boolean(*word == 't');
	if (int_parse(word, 0, &number, NULL))
		return json_integer(number);
	return NULL;
}

static bool is_true(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return json_object_size(v) > 0;
	case JSON_ARRAY:
		return json_array_size(v) > 0;
	case JSON_STRING:
		return json_string_length(v) > 0;
	case JSON_INTEGER:
	case JSON_REAL:
		return json_number_value(v) != 0;
	case JSON_TRUE:
		return true;
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return false;
}

static char *json_line(const json_t *v)
{
	json_t *plain = without_fields(v);
	char *raw = json_dumps(plain, JSON_COMPACT | JSON_ENCODE_ANY);
	char *text = g_strdup(raw ? raw : "");
	json_decref(plain);
	free(raw);
	return text;
}

static bool append_value(GString *out, const json_t *v, GError **error)
{
	if (json_is_object(v) || json_is_array(v))
		return error_set(error, ERROR_UNIMPLEMENTED,
				 "template: a list or structure is printed with the json function only");
	g_autofree char *text = json_is_string(v) || json_is_null(v) ? NULL : json_line(v);
	g_string_append(out, json_is_string(v) ? json_string_value(v) : text ? text : "<no value>");
	return true;
}

static json_t *call_index(GPtrArray *args, GError **error)
{
	json_t *v = args->pdata[0];
	for (guint i = 1; i < args->len; i++) {
		json_t *key = args->pdata[i];
		if (json_is_array(v) && json_is_integer(key)) {
			json_int_t at = json_integer_value(key);
			v = at < 0 ? NULL : json_array_get(v, (size_t)at);
			if (!v)
				return error_null(error, ERROR_INVALID_ARGUMENT, "template: index out of range: %lld",
						  (long long)at);
		} else if (json_is_string(key) && (json_is_object(v) || json_is_null(v))) {
			v = json_object_get(v, json_string_value(key));
			if (!v)
				return json_string("");
		} else {
			return error_null(error, ERROR_INVALID_ARGUMENT,
					  "template: error calling index: can't index item");
		}
	}
	return json_incref(v);
}

static json_t *call_print(GPtrArray *args, bool line, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	for (guint i = 0; i < args->len; i++) {
		json_t *one = args->pdata[i], *before = i ? args->pdata[i - 1] : NULL;
		if (i && (line || (!json_is_string(one) && !json_is_string(before))))
			g_string_append_c(out, ' ');
		if (!append_value(out, one, error))
			return NULL;
	}
	return json_string(line ? g_string_append_c(out, '\n')->str : out->str);
}

static json_t *call_len(const json_t *v)
{
	bool fields = json_object_get(v, GOTEMPLATE_FIELDS) != NULL;
	return json_integer((json_int_t)(json_is_object(v)  ? json_object_size(v) - fields
					 : json_is_array(v) ? json_array_size(v)
							    : json_string_length(v)));
}

static json_t *call_logic(GPtrArray *args, bool wanted)
{
	guint i = 0;
	while (i + 1 < args->len && is_true(args->pdata[i]) == wanted)
		i++;
	return json_incref(args->pdata[i]);
}

static json_t *call(const char *name, GPtrArray *args, GError **error)
{
	static const struct {
		const char *name;
		guint min, max;
	} known[] = {{"json", 1, 1},           {"len", 1, 1},        {"not", 1, 1},
		     {"index", 1, WORDS_MAX},  {"eq", 2, WORDS_MAX}, {"ne", 2, 2},
		     {"and", 1, WORDS_MAX},    {"or", 1, WORDS_MAX}, {"print", 0, WORDS_MAX},
		     {"println", 0, WORDS_MAX}};
	size_t k = 0;
	while (k < G_N_ELEMENTS(known) && strcmp(known[k].name, name) != 0)
		k++;
	if (k == G_N_ELEMENTS(known))
		return error_null(error, ERROR_UNIMPLEMENTED, "template: :1: function \"%s\" not defined", name);
	if (args->len < known[k].min || args->len > known[k].max) {
		fail(error, "wrong number of args for", name);
		return NULL;
	}
	bool equal = false;
	for (guint i = 1; i < args->len; i++)
		equal = equal || json_equal(args->pdata[0], args->pdata[i]);
	switch (k) {
	case 0: {
		g_autofree char *text = json_line(args->pdata[0]);
		return json_string(text);
	}
	case 1:
		return call_len(args->pdata[0]);
	case 2:
		return json_boolean(!is_true(args->pdata[0]));
	case 3:
		return call_index(args, error);
	case 4:
	case 5:
		return json_boolean(equal == (k == 4));
	case 6:
	case 7:
		return call_logic(args, k == 6);
	default:
		return call_print(args, k == 9, error);
	}
}

/* Returns the next word of a pipeline, including "|"; NULL at the end and at an unterminated string. */
static char *next_word(const char **at)
{
	const char *p = *at;
	while (g_ascii_isspace(*p))
		p++;
	const char *end = p;
	if (*p == '"' || *p == '`')
		end = skip_quoted(p);
	else if (*p == '|')
		end = p + 1;
	else
		while (*end && !g_ascii_isspace(*end) && *end != '|' && *end != '"' && *end != '`')
			end++;
	if (!end || end == p)
		return NULL;
	*at = end;
	return g_strndup(p, (size_t)(end - p));
}

/* Runs one command of a pipeline; input is the value of the preceding command, or NULL. */
static json_t *command(struct render *r, const char **at, json_t *input, GError **error)
{
	g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(unref);
	g_autofree char *name = NULL;
	guint words = 0;
	for (char *next; (next = next_word(at)); words++) {
		g_autofree char *word = next;
		if (*word == '|')
			break;
		GError *problem = NULL;
		json_t *value = operand(r, word, &problem);
		if (problem)
			return error_propagate_null(error, problem);
		if (value) {
			g_ptr_array_add(args, value);
		} else if (words == 0) {
			name = g_steal_pointer(&word);
		} else {
			return error_null(error, ERROR_UNIMPLEMENTED, "template: :1: operand \"%s\" is not supported",
					  word);
		}
		if (words == WORDS_MAX - 2) {
			fail(error, "too many arguments at", *at);
			return NULL;
		}
	}
	if (input)
		g_ptr_array_add(args, json_incref(input));
	if (name)
		return call(name, args, error);
	if (words == 1 && args->len == 1)
		return json_incref(args->pdata[0]);
	fail(error, "missing or unexpected operand before", *at);
	return NULL;
}

static json_t *pipeline(struct render *r, const char *text, GError **error)
{
	const char *at = text;
	json_t *value = command(r, &at, NULL, error);
	while (value && (*at || at[-(at > text)] == '|')) {
		json_t *before = value;
		value = command(r, &at, before, error);
		json_decref(before);
	}
	return value;
}

/* Returns the items of range: a list itself, or a map's values in the order of their keys. */
static json_t *items_of(json_t *v)
{
	json_t *all = json_array(), *value;
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	const char *key;
	if (json_is_array(v))
		json_array_extend(all, v);
	json_object_foreach(v, key, value) if (strcmp(key, GOTEMPLATE_FIELDS) != 0)
		g_ptr_array_add(keys, (char *)(uintptr_t)key);
	if (keys->len > 0)
		qsort(keys->pdata, keys->len, sizeof *keys->pdata, text_order);
	for (guint i = 0; i < keys->len; i++)
		json_array_append(all, json_object_get(v, keys->pdata[i]));
	return all;
}

static void set_dot(struct render *r, json_t *dot)
{
	json_incref(dot);
	json_decref(r->dot);
	r->dot = dot;
}

/* Returns the next node to execute. */
static guint enter(struct render *r, guint at, json_t *value)
{
	const struct node *n = &g_array_index(r->nodes, struct node, at);
	struct frame *f = &r->frames[r->depth++];
	*f = (struct frame){n->kind, at, json_incref(r->dot), n->kind == KIND_RANGE ? items_of(value) : NULL, 1};
	if (n->kind == KIND_RANGE ? json_array_size(f->items) == 0 : !is_true(value)) {
		f->kind = KIND_IF; /* the else branch runs once */
		return n->other == n->end ? n->end : n->other + 1;
	}
	if (n->kind != KIND_IF)
		set_dot(r, n->kind == KIND_RANGE ? json_array_get(f->items, 0) : value);
	return at + 1;
}

static void leave(struct render *r)
{
	struct frame *f = &r->frames[--r->depth];
	set_dot(r, f->dot);
	json_decref(f->dot);
	json_decref(f->items);
}

static guint finish(struct render *r)
{
	struct frame *f = &r->frames[r->depth - 1];
	guint body = f->node + 1, after = g_array_index(r->nodes, struct node, f->node).end + 1;
	if (f->kind == KIND_RANGE && f->next < json_array_size(f->items)) {
		set_dot(r, json_array_get(f->items, f->next++));
		return body;
	}
	leave(r);
	return after;
}

static bool step(struct render *r, guint *at, GError **error)
{
	const struct node *n = &g_array_index(r->nodes, struct node, *at);
	if (++r->steps > STEPS_MAX || r->out->len > OUTPUT_BYTES_MAX)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "template: too much output");
	if (n->kind == KIND_TEXT) {
		g_string_append(r->out, n->text);
		++*at;
		return true;
	}
	if (n->kind == KIND_ELSE || n->kind == KIND_END) {
		*at = finish(r);
		return true;
	}
	json_t *value = pipeline(r, n->text, error);
	bool ok = value != NULL;
	if (ok && n->kind == KIND_OUTPUT) {
		ok = append_value(r->out, value, error);
		++*at;
	} else if (ok) {
		*at = enter(r, *at, value);
	}
	json_decref(value);
	return ok;
}

char *gotemplate_render(const char *format, json_t *value, GError **error)
{
	g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct node));
	g_array_set_clear_func(nodes, node_clear);
	if (strlen(format) > TEMPLATE_BYTES_MAX)
		return error_null(error, ERROR_RESOURCE_EXHAUSTED, "template: longer than %d bytes",
				  TEMPLATE_BYTES_MAX);
	if (!split(strcmp(format, "json") == 0 ? "{{json .}}" : format, nodes, error) || !match_blocks(nodes, error))
		return NULL;
	g_autofree struct render *r = g_new0(struct render, 1);
	r->nodes = nodes;
	r->root = value;
	r->dot = json_incref(value);
	r->out = g_string_new(NULL);
	bool ok = true;
	for (guint at = 0; ok && at < nodes->len;)
		ok = step(r, &at, error);
	while (r->depth > 0)
		leave(r);
	json_decref(r->dot);
	return g_string_free(r->out, !ok);
}
