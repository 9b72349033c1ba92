/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include <stdarg.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, ALIGN = 16 };

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ALIGN) char bytes[];
};
struct arena {
	struct block *blocks;
};

arena *arena_new(void)
{
	return g_new0(arena, 1);
}

void arena_free(arena *a)
{
	if (!a)
		return;
	while (a->blocks) {
		struct block *b = a->blocks;
		a->blocks = b->next;
		g_free(b);
	}
	g_free(a);
}

static struct block *block_add(arena *a, size_t n)
{
	size_t size = MAX((size_t)BLOCK_BYTES, n);
	struct block *b = g_malloc0(sizeof *b + size);
	b->size = size;
	/* A large block is linked behind the current one, whose free space stays usable. */
	if (a->blocks && n > BLOCK_BYTES / 4) {
		b->next = a->blocks->next;
		a->blocks->next = b;
	} else {
		b->next = a->blocks;
		a->blocks = b;
	}
	return b;
}

void *arena_alloc(arena *a, size_t n)
{
	n = (MAX(n, 1) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	struct block *b = a->blocks;
	if (!b || b->size - b->used < n)
		b = block_add(a, n);
	void *p = b->bytes + b->used;
	b->used += n;
	return p;
}

char *arena_strndup(arena *a, const char *text, size_t n)
{
	char *copy = arena_alloc(a, n + 1);
	if (n)
		memcpy(copy, text, n);
	return copy;
}

char *arena_strdup(arena *a, const char *text)
{
	return text ? arena_strndup(a, text, strlen(text)) : NULL;
}

char *arena_take(arena *a, char *heap)
{
	char *copy = arena_strdup(a, heap);
	g_free(heap);
	return copy;
}

char *arena_concat(arena *a, const char *one, const char *two, const char *three)
{
	size_t n = strlen(one), m = strlen(two), k = strlen(three);
	char *text = arena_alloc(a, n + m + k + 1);
	memcpy(text, one, n);
	memcpy(text + n, two, m);
	memcpy(text + n + m, three, k);
	return text;
}

char *arena_printf(arena *a, const char *format, ...)
{
	char small[256];
	va_list list;
	va_start(list, format);
	int n = vsnprintf(small, sizeof small, format, list);
	va_end(list);
	if (n < 0)
		return arena_strdup(a, "");
	if ((size_t)n < sizeof small)
		return arena_strndup(a, small, (size_t)n);
	char *text = arena_alloc(a, (size_t)n + 1);
	va_start(list, format);
	vsnprintf(text, (size_t)n + 1, format, list);
	va_end(list);
	return text;
}

void arena_push(arena *a, struct vec *v, const void *item)
{
	if (v->n == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 4;
		void **items = arena_alloc(a, cap * sizeof *items);
		if (v->n)
			memcpy(items, v->items, v->n * sizeof *items);
		v->items = items;
		v->cap = cap;
	}
	v->items[v->n++] = (void *)item;
}

const char **arena_strv(arena *a, const struct vec *v)
{
	const char **strv = arena_alloc(a, (v->n + 1) * sizeof *strv);
	for (size_t i = 0; i < v->n; i++)
		strv[i] = v->items[i];
	return strv;
}

bool vec_has(const struct vec *v, const char *text)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->items[i], text) == 0)
			return true;
	return false;
}

char *vec_join(const struct vec *v, const char *separator)
{
	GString *s = g_string_new(NULL);
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			g_string_append(s, separator);
		g_string_append(s, v->items[i]);
	}
	return g_string_free(s, FALSE);
}
