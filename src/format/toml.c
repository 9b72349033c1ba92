/* SPDX-License-Identifier: Apache-2.0 */
#include "format/toml.h"
#include "format/toml_scan.h"
#include <string.h>

#define DEPTH_MAX 64

struct toml {
	struct toml_value *root;
};

static void value_free(gpointer data);

static struct toml_value *value_new(enum toml_type type, const struct toml_scan *s)
{
	struct toml_value *v = g_new0(struct toml_value, 1);
	v->type = type;
	v->line = s->line;
	v->column = toml_scan_column(s);
	if (type == TOML_ARRAY || type == TOML_TABLE)
		v->items = g_ptr_array_new_with_free_func(value_free);
	if (type == TOML_TABLE)
		v->keys = g_ptr_array_new_with_free_func(g_free);
	return v;
}

/* Nesting is limited to DEPTH_MAX, so the depth of this recursion is bounded. */
static void value_free(gpointer data)
{
	struct toml_value *v = data;
	if (!v)
		return;
	g_free(v->text);
	g_clear_pointer(&v->items, g_ptr_array_unref);
	g_clear_pointer(&v->keys, g_ptr_array_unref);
	g_free(v);
}

static struct toml_value *table_find(const struct toml_value *table, const char *key)
{
	for (guint i = 0; i < table->keys->len; i++)
		if (strcmp(table->keys->pdata[i], key) == 0)
			return table->items->pdata[i];
	return NULL;
}

static void table_add(struct toml_value *table, const char *key, struct toml_value *value)
{
	g_ptr_array_add(table->keys, g_strdup(key));
	g_ptr_array_add(table->items, value);
}

/* Returns the table that a key part names inside another: new, existing, or the last one of an array of tables. */
static struct toml_value *enter(struct toml_scan *s, struct toml_value *table, const char *key, bool dotted,
				GError **error)
{
	struct toml_value *found = table_find(table, key);
	if (!found) {
		found = value_new(TOML_TABLE, s);
		found->dotted = dotted;
		table_add(table, key, found);
		return found;
	}
	if (found->type == TOML_ARRAY && found->array_of_tables && !dotted)
		return found->items->pdata[found->items->len - 1];
	if (found->type != TOML_TABLE || found->inline_ || (dotted && !found->dotted)) {
		toml_scan_fail(s, error, "key \"%s\" is already defined as a %s", key, toml_type_name(found->type));
		return NULL;
	}
	return found;
}

static struct toml_value *enter_all(struct toml_scan *s, struct toml_value *from, GPtrArray *parts, bool dotted,
				    GError **error)
{
	for (guint i = 0; from && i + 1 < parts->len; i++)
		from = enter(s, from, parts->pdata[i], dotted, error);
	return from;
}

static struct toml_value *open_table(struct toml_scan *s, struct toml_value *parent, const char *key, GError **error)
{
	struct toml_value *table = table_find(parent, key);
	if (table && (table->type != TOML_TABLE || table->defined || table->inline_ || table->dotted)) {
		toml_scan_fail(s, error, "table \"%s\" is already defined", key);
		return NULL;
	}
	if (!table) {
		table = value_new(TOML_TABLE, s);
		table_add(parent, key, table);
	}
	table->defined = true;
	return table;
}

static struct toml_value *open_array_table(struct toml_scan *s, struct toml_value *parent, const char *key,
					   GError **error)
{
	struct toml_value *array = table_find(parent, key);
	if (array && (array->type != TOML_ARRAY || !array->array_of_tables)) {
		toml_scan_fail(s, error, "key \"%s\" is already defined as a %s", key, toml_type_name(array->type));
		return NULL;
	}
	if (!array) {
		array = value_new(TOML_ARRAY, s);
		array->array_of_tables = true;
		table_add(parent, key, array);
	}
	struct toml_value *table = value_new(TOML_TABLE, s);
	table->defined = true;
	g_ptr_array_add(array->items, table);
	return table;
}

/* Parses "[a.b]" and "[[a.b]]"; returns the table for the following keys. */
static struct toml_value *parse_header(struct toml_scan *s, struct toml_value *root, GError **error)
{
	bool array = toml_scan_take(s, "[[");
	if (!array)
		toml_scan_take(s, "[");
	g_autoptr(GPtrArray) parts = toml_scan_key(s, error);
	if (!parts)
		return NULL;
	struct toml_value *parent = enter_all(s, root, parts, false, error);
	if (!parent)
		return NULL;
	const char *last = parts->pdata[parts->len - 1];
	struct toml_value *table =
		array ? open_array_table(s, parent, last, error) : open_table(s, parent, last, error);
	if (table && !toml_scan_take(s, array ? "]]" : "]")) {
		toml_scan_fail(s, error, "expected \"%s\" after the table name", array ? "]]" : "]");
		return NULL;
	}
	return table;
}

/* Adds a value under a dotted key of a table. */
static bool place(struct toml_scan *s, struct toml_value *table, GPtrArray *parts, struct toml_value *value,
		  GError **error)
{
	const char *last = parts->pdata[parts->len - 1];
	struct toml_value *parent = enter_all(s, table, parts, true, error);
	if (parent && table_find(parent, last)) {
		toml_scan_fail(s, error, "key \"%s\" is defined twice", last);
		parent = NULL;
	}
	if (parent)
		table_add(parent, last, value);
	else
		value_free(value);
	return parent != NULL;
}

/* An open array or inline table whose items are being read. */
struct frame {
	struct toml_value *container;
	GPtrArray *key; /* inline table: the key of the next value, owned */
};

static void frame_clear(gpointer data)
{
	struct frame *f = data;
	g_clear_pointer(&f->key, g_ptr_array_unref);
}

static struct toml_value *scalar(struct toml_scan *s, GError **error)
{
	struct toml_value *v = value_new(TOML_STRING, s);
	struct toml_token token = {0};
	if (!toml_scan_scalar(s, &token, error)) {
		value_free(v);
		return NULL;
	}
	v->type = token.type;
	v->text = token.text;
	v->integer = token.integer;
	v->number = token.number;
	v->boolean = token.boolean;
	return v;
}

/*
 * After an item: reads a comma or the ends of containers. Returns whether a further item follows (false: the outermost
 * value is complete). ended: the completed item, for the parent.
 */
static int close_containers(struct toml_scan *s, GArray *frames, GError **error)
{
	while (frames->len > 0) {
		struct frame *top = &g_array_index(frames, struct frame, frames->len - 1);
		bool table = top->container->type == TOML_TABLE;
		toml_scan_blank(s, !table);
		if (toml_scan_take(s, ",")) {
			toml_scan_blank(s, !table);
			if (table || toml_scan_peek(s) != ']')
				return 1;
		}
		if (!toml_scan_take(s, table ? "}" : "]")) {
			toml_scan_fail(s, error, "expected \",\" or \"%s\"", table ? "}" : "]");
			return -1;
		}
		g_array_set_size(frames, frames->len - 1);
	}
	return 0;
}

/* Parses "key =" of an inline table into the top frame. */
static bool frame_key(struct toml_scan *s, struct frame *top, GError **error)
{
	g_clear_pointer(&top->key, g_ptr_array_unref);
	top->key = toml_scan_key(s, error);
	if (!top->key)
		return false;
	toml_scan_blank(s, false);
	if (!toml_scan_take(s, "="))
		return toml_scan_fail(s, error, "expected \"=\" after the key");
	toml_scan_blank(s, false);
	return true;
}

/* Adds a new value to the innermost container. */
static bool add_to_container(struct toml_scan *s, GArray *frames, struct toml_value *value, GError **error)
{
	struct frame *top = &g_array_index(frames, struct frame, frames->len - 1);
	if (top->container->type == TOML_TABLE)
		return place(s, top->container, top->key, value, error);
	g_ptr_array_add(top->container->items, value);
	return true;
}

/* Parses one item at the cursor: a scalar or the opening of a container (*ret_opened). */
static struct toml_value *parse_item(struct toml_scan *s, bool *ret_opened, GError **error)
{
	char c = toml_scan_peek(s);
	*ret_opened = c == '[' || c == '{';
	if (!*ret_opened)
		return scalar(s, error);
	struct toml_value *v = value_new(c == '[' ? TOML_ARRAY : TOML_TABLE, s);
	v->inline_ = true;
	toml_scan_take(s, c == '[' ? "[" : "{");
	return v;
}

static bool open_frame(struct toml_scan *s, GArray *frames, struct toml_value *container, GError **error)
{
	if (frames->len >= DEPTH_MAX)
		return toml_scan_fail(s, error, "values are nested too deeply");
	struct frame f = {.container = container};
	g_array_append_val(frames, f);
	return true;
}

/* Parses the rest of a container that was just opened; iterative. */
static bool parse_container(struct toml_scan *s, struct toml_value *outer, GError **error)
{
	g_autoptr(GArray) frames = g_array_new(FALSE, TRUE, sizeof(struct frame));
	g_array_set_clear_func(frames, frame_clear);
	if (!open_frame(s, frames, outer, error))
		return false;
	bool fresh = true; /* the innermost container is empty so far: it may end */
	for (;;) {
		struct frame *top = &g_array_index(frames, struct frame, frames->len - 1);
		bool table = top->container->type == TOML_TABLE, opened = false;
		toml_scan_blank(s, !table);
		if (!fresh || toml_scan_peek(s) != (table ? '}' : ']')) {
			if (table && !frame_key(s, top, error))
				return false;
			struct toml_value *item = parse_item(s, &opened, error);
			if (!item || !add_to_container(s, frames, item, error))
				return false;
			if (opened && !open_frame(s, frames, item, error))
				return false;
		}
		fresh = opened;
		if (opened)
			continue;
		int more = close_containers(s, frames, error);
		if (more <= 0)
			return more == 0;
	}
}

static bool parse_pair(struct toml_scan *s, struct toml_value *table, GError **error)
{
	g_autoptr(GPtrArray) parts = toml_scan_key(s, error);
	if (!parts)
		return false;
	toml_scan_blank(s, false);
	if (!toml_scan_take(s, "="))
		return toml_scan_fail(s, error, "expected \"=\" after the key");
	toml_scan_blank(s, false);
	bool opened;
	struct toml_value *value = parse_item(s, &opened, error);
	if (!value || !place(s, table, parts, value, error))
		return false;
	return !opened || parse_container(s, value, error);
}

static bool parse_line(struct toml_scan *s, struct toml_value *root, struct toml_value **table, GError **error)
{
	if (toml_scan_peek(s) == '[') {
		*table = parse_header(s, root, error);
		if (!*table)
			return false;
	} else if (!parse_pair(s, *table, error)) {
		return false;
	}
	toml_scan_blank(s, false);
	return toml_scan_end_of_line(s, error);
}

toml *toml_parse(const char *bytes, size_t n, GError **error)
{
	struct toml_scan s;
	if (!toml_scan_init(&s, bytes, n, error))
		return NULL;
	g_autoptr(toml) t = g_new0(toml, 1);
	t->root = value_new(TOML_TABLE, &s);
	struct toml_value *table = t->root;
	for (toml_scan_blank(&s, true); toml_scan_peek(&s) != '\0'; toml_scan_blank(&s, true))
		if (!parse_line(&s, t->root, &table, error))
			return NULL;
	return g_steal_pointer(&t);
}

void toml_free(toml *t)
{
	if (!t)
		return;
	value_free(t->root);
	g_free(t);
}

const struct toml_value *toml_root(const toml *t)
{
	return t->root;
}

const struct toml_value *toml_find(const struct toml_value *table, const char *key)
{
	return table && table->type == TOML_TABLE ? table_find(table, key) : NULL;
}

const char *toml_type_name(enum toml_type type)
{
	static const char *const names[] = {"string", "integer", "float", "boolean", "date", "array", "table"};
	return names[type];
}
