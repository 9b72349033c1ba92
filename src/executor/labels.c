/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/labels.h"
#include <string.h>
#include <sys/vfs.h>

#define SELINUX_FS "/sys/fs/selinux"
#define SELINUX_MAGIC 0xf97cff8c
#define CATEGORIES 1024
#define CONTEXT_BYTES 512 /* of a label */
#define TRIES 100000      /* there are 523,776 pairs */

enum { PROCESS, FILES, LABELS };
static const char *const keys[LABELS] = {"process", "file"};

struct labels {
	char *root;         /* owned */
	GMutex mu;          /* guards the rest */
	bool read;          /* the files */
	char *from[LABELS]; /* owned; NULL: there is none */
	GHashTable *levels; /* set of char *, owned; reserved */
};

labels *labels_new(const char *root)
{
	labels *l = g_new0(labels, 1);
	l->root = g_strdup(root);
	g_mutex_init(&l->mu);
	l->levels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return l;
}

void labels_free(labels *l)
{
	if (!l)
		return;
	for (int i = 0; i < LABELS; i++)
		g_free(l->from[i]);
	g_hash_table_unref(l->levels);
	g_mutex_clear(&l->mu);
	g_free(l->root);
	g_free(l);
}

bool labels_are_supported(void)
{
	struct statfs st;
	g_autofree char *current = NULL;
	/* Before a policy is loaded, all processes have the label "kernel". */
	return statfs(SELINUX_FS, &st) == 0 && (unsigned long)st.f_type == SELINUX_MAGIC &&
	       g_file_get_contents("/proc/self/attr/current", &current, NULL, NULL) && strcmp(current, "kernel") != 0;
}

/* ---- the policy's labels */

static char **read_lines(const labels *l, const char *path)
{
	g_autofree char *name = g_build_filename(l->root, path, NULL), *text = NULL;
	return g_file_get_contents(name, &text, NULL, NULL) ? g_strsplit(text, "\n", -1) : NULL;
}

/* Returns the value of a line KEY = "VALUE", owned; quotes and spaces are optional. */
static char *find_value(char *const *lines, const char *key)
{
	for (size_t i = 0; lines && lines[i]; i++) {
		g_autofree char *line = g_strstrip(g_strdup(lines[i]));
		char *equals = strchr(line, '=');
		if (*line == '#' || *line == ';' || !equals)
			continue;
		*equals = '\0';
		if (strcmp(g_strchomp(line), key) != 0)
			continue;
		char *value = g_strstrip(equals + 1);
		size_t n = strlen(value);
		if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
			value[n - 1] = '\0';
			value++;
		}
		return g_strdup(value);
	}
	return NULL;
}

/* user:role:type, and a level unless the policy has none. */
static bool is_label(const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", 4);
	size_t n = strlen(text);
	bool printable = n > 0 && n < CONTEXT_BYTES;
	for (size_t i = 0; i < n; i++)
		printable &= g_ascii_isgraph(text[i]) && text[i] != '"' && text[i] != '\\';
	return printable && g_strv_length(parts) >= 3 && *parts[0] && *parts[1] && *parts[2];
}

/* Requires mu. */
static void read_policy(labels *l)
{
	g_auto(GStrv) contexts = read_lines(l, "usr/share/containers/selinux/contexts");
	g_auto(GStrv) config = contexts ? NULL : read_lines(l, "etc/selinux/config");
	g_autofree char *type = find_value(config, "SELINUXTYPE");
	if (type && *type && !strchr(type, '/') && *type != '.') {
		g_autofree char *path = g_build_filename("etc/selinux", type, "contexts/lxc_contexts", NULL);
		contexts = read_lines(l, path);
	}
	for (int i = 0; i < LABELS; i++) {
		g_autofree char *value = find_value(contexts, keys[i]);
		if (value && is_label(value))
			l->from[i] = g_steal_pointer(&value);
	}
	l->read = true;
}

static bool has_level(const char *label)
{
	g_auto(GStrv) parts = g_strsplit(label, ":", 4);
	return parts[0] && parts[1] && parts[2] && parts[3];
}

static char *with_level(const char *label, const char *level)
{
	g_auto(GStrv) parts = g_strsplit(label, ":", 4);
	return g_strjoin(":", parts[0], parts[1], parts[2], level, NULL);
}

/* ---- of a step */

static char *pair(int first, int second)
{
	return g_strdup_printf("s0:c%d,c%d", MIN(first, second), MAX(first, second));
}

/* Returns a level that no other step has, and reserves it. Requires mu. */
static char *reserve(labels *l, GError **error)
{
	for (int i = 0; i < TRIES; i++) {
		int first = g_random_int_range(0, CATEGORIES), second = g_random_int_range(0, CATEGORIES);
		g_autofree char *level = pair(first, second);
		bool is_last = MIN(first, second) == CATEGORIES - 2; /* of insecure steps */
		if (first == second || is_last || g_hash_table_contains(l->levels, level))
			continue;
		g_hash_table_add(l->levels, g_strdup(level));
		return g_steal_pointer(&level);
	}
	return error_null(error, ERROR_RESOURCE_EXHAUSTED, "no unused SELinux categories");
}

static bool take_confined(labels *l, struct step_labels *ret, GError **error)
{
	const char *process = l->from[PROCESS], *files = l->from[FILES];
	if (!process || !files)
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "the SELinux policy has no labels for containers (install container-selinux)");
	if (!has_level(process)) {
		*ret = (struct step_labels){.process = g_strdup(process), .mount = g_strdup(files)};
		return true;
	}
	char *level = reserve(l, error);
	if (level)
		*ret = (struct step_labels){with_level(process, level), with_level(files, level), level};
	return level != NULL;
}

bool labels_take(labels *l, bool insecure, struct step_labels *ret, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&l->mu);
	*ret = (struct step_labels){0};
	if (!l->read)
		read_policy(l);
	if (!insecure)
		return take_confined(l, ret, error);
	g_autofree char *last = pair(CATEGORIES - 2, CATEGORIES - 1);
	const char *files = l->from[FILES];
	if (files)
		ret->mount = has_level(files) ? with_level(files, last) : g_strdup(files);
	return true;
}

void labels_release(labels *l, struct step_labels *s)
{
	if (s->level) {
		g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&l->mu);
		g_hash_table_remove(l->levels, s->level);
	}
	g_free(s->level);
	g_free(s->process);
	g_free(s->mount);
	*s = (struct step_labels){0};
}
