/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: memory that is released at once, and growable lists allocated from it.
 *
 *	g_autoptr(arena) a = arena_new();
 *	char *name = arena_printf(a, "stage-%d", i);
 *	arena_push(a, &names, name);
 *
 * Everything allocated belongs to the arena and is zeroed. Thread: one at a time.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <glib.h>

typedef struct arena arena;

/* A list of pointers; {0} is empty. */
struct vec {
	void **items;
	size_t n, cap;
};
#define vec_at(v, type, i) ((type)(v)->items[i])

arena *arena_new(void);
void arena_free(arena *a);
void *arena_alloc(arena *a, size_t n);
char *arena_strndup(arena *a, const char *text, size_t n);
char *arena_strdup(arena *a, const char *text); /* NULL gives NULL */
char *arena_printf(arena *a, const char *format, ...) G_GNUC_PRINTF(2, 3);
char *arena_concat(arena *a, const char *one, const char *two, const char *three);
char *arena_take(arena *a, char *heap); /* copies and frees a heap string */
void arena_push(arena *a, struct vec *v, const void *item);
/* Returns the items as a NULL-terminated string vector. */
const char **arena_strv(arena *a, const struct vec *v);
bool vec_has(const struct vec *v, const char *text);
char *vec_join(const struct vec *v, const char *separator); /* heap */

#define arena_make(a, type) ((type *)arena_alloc(a, sizeof(type)))

G_DEFINE_AUTOPTR_CLEANUP_FUNC(arena, arena_free)
