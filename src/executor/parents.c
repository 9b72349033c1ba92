/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/parents.h"
#include "base/text.h"
#include "executor/names.h"
#include "base/limits.h"
#include "os/path.h"
#include <unistd.h>

#define FILE_NAME "cgroup-parents" /* one line per parent and, absolute, per directory that was created for it */
#define MAX_PARENT 180             /* with the names below it, it must fit into a message of the runner */
#define RECOVER_MS 5000

struct parent {
	unsigned users;
	GPtrArray *made; /* of char *: absolute paths, outer ones first */
};
struct parents {
	const struct cgroups *cgroups; /* borrowed */
	int executor_fd;               /* borrowed */
	char *default_parent;          /* "" : none */
	bool own;
	GMutex mu;        /* guards used and the file */
	GHashTable *used; /* char * to struct parent * */
};

static void parent_free(void *data)
{
	struct parent *one = data;
	g_ptr_array_unref(one->made);
	g_free(one);
}

parents *parents_new(const struct cgroups *g, int executor_fd, const char *default_parent, bool own)
{
	parents *p = g_new0(parents, 1);
	p->cgroups = g;
	p->executor_fd = executor_fd;
	p->default_parent = g_strdup(default_parent ? default_parent : "");
	p->own = own;
	p->used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, parent_free);
	g_mutex_init(&p->mu);
	return p;
}

void parents_free(parents *p)
{
	if (!p)
		return;
	g_hash_table_unref(p->used);
	g_mutex_clear(&p->mu);
	g_free(p->default_parent);
	g_free(p);
}

bool parents_is_default(const parents *p, const char *parent)
{
	return g_str_equal(parent, p->default_parent);
}

/*
 * The directory of a parent's steps, beneath each hierarchy; a name of systemd's form if we do not manage that parent.
 */
static char *directory_of(const parents *p, const char *parent)
{
	if (!p->own)
		return cgroup_path_for(parent, ".");
	g_autofree char *raw = g_strconcat("/", parent, "/buildkit", NULL);
	return path_clean(raw);
}

/* ---- the file */

static void remove_directories(const GPtrArray *made)
{
	for (guint i = made->len; i > 0; i--)
		rmdir(g_ptr_array_index(made, i - 1)); /* not removed if another daemon uses it */
}

static bool write_file(const parents *p, GError **error)
{
	if (g_hash_table_size(p->used) == 0) {
		unlinkat(p->executor_fd, FILE_NAME, 0);
		return true;
	}
	g_autoptr(GString) text = g_string_new(NULL);
	GHashTableIter iter;
	void *key, *value;
	g_hash_table_iter_init(&iter, p->used);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const struct parent *one = value;
		g_string_append_printf(text, "%s\n", (const char *)key);
		for (guint i = 0; i < one->made->len; i++)
			g_string_append_printf(text, "%s\n", (const char *)g_ptr_array_index(one->made, i));
	}
	return names_write_file(p->executor_fd, FILE_NAME, text->str, error);
}

void parents_recover(parents *p, const char *instance)
{
	g_autoptr(GPtrArray) made = g_ptr_array_new();
	g_autofree char *directory = directory_of(p, p->default_parent);
	cgroup_remove_named(p->cgroups, directory, instance, RECOVER_MS);
	g_autoptr(GBytes) bytes = path_read(p->executor_fd, FILE_NAME, MIB(1), PATH_BENEATH, NULL);
	g_autofree char *text = bytes ? text_from_bytes(bytes) : g_strdup("");
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i]; i++) {
		if (g_str_has_prefix(lines[i], CGROUP_ROOT "/")) {
			g_ptr_array_add(made, lines[i]);
		} else if (*lines[i] != '\0') {
			g_autofree char *other = directory_of(p, lines[i]);
			cgroup_remove_named(p->cgroups, other, instance, RECOVER_MS);
		}
	}
	remove_directories(made);
	unlinkat(p->executor_fd, FILE_NAME, 0);
	cgroup_limit_directory(p->cgroups, directory);
}

/* ---- usage */

/* Removes leading slashes, so that no line of the file is taken for a directory. */
static char *clean_parent(const parents *p, const char *chosen, GError **error)
{
	g_autofree char *rooted = g_strconcat("/", chosen, NULL);
	g_autofree char *clean = path_clean(rooted);
	if (strpbrk(chosen, "\n") || strlen(clean) > MAX_PARENT)
		return error_null(error, ERROR_INVALID_ARGUMENT, "cgroup parent \"%.64s\": %s", chosen,
				  strlen(clean) > MAX_PARENT ? "too long" : "has a line feed");
	return g_strdup(clean + 1);
}

char *parents_enter(parents *p, const char *chosen, GError **error)
{
	if (!chosen || *chosen == '\0' || parents_is_default(p, chosen))
		return g_strdup(p->default_parent);
	g_autofree char *parent = clean_parent(p, chosen, error);
	if (!parent)
		return NULL;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	struct parent *one = g_hash_table_lookup(p->used, parent);
	if (!one) {
		g_autofree char *directory = directory_of(p, parent);
		one = g_new0(struct parent, 1);
		one->made = cgroup_missing(p->cgroups, directory);
		g_hash_table_insert(p->used, g_strdup(parent), one);
		if (!write_file(p, error)) {
			g_hash_table_remove(p->used, parent);
			return NULL;
		}
		cgroup_limit_directory(p->cgroups, directory);
	}
	one->users++;
	return g_steal_pointer(&parent);
}

void parents_leave(parents *p, const char *parent)
{
	if (parents_is_default(p, parent))
		return;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	struct parent *one = g_hash_table_lookup(p->used, parent);
	if (!one || --one->users > 0)
		return;
	remove_directories(one->made);
	g_hash_table_remove(p->used, parent);
	write_file(p, NULL);
}
