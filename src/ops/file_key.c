/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/file_key.h"
#include "ops/file_action.h"
#include "ops/file_match.h"
#include "os/path.h"

static void selector_clear(void *data)
{
	struct contenthash_selector *s = data;
	g_free((void *)s->path);
	g_free((void *)s->include);
	g_free((void *)s->exclude);
	g_free((void *)s->required);
}

/* Returns the vector as a NULL-terminated list; strings are borrowed. */
static const char *const *as_list(char *const *strings, size_t n)
{
	if (n == 0)
		return NULL;
	const char **list = g_new0(const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		list[i] = strings[i];
	return list;
}

static char *rooted(const char *path)
{
	g_autofree char *raw = g_strconcat("/", path, NULL);
	return path_clean(raw);
}

static void add_plain(GArray *list, const char *path)
{
	struct contenthash_selector s = {.path = g_strdup(path), .follow_links = true};
	g_array_append_val(list, s);
}

static void add_owner(GArray *list, const Pb__ChownOpt *o, unsigned input)
{
	if (!o)
		return;
	if (o->user && o->user->user_case == PB__USER_OPT__USER_BY_NAME && o->user->byname->input == (int64_t)input)
		add_plain(list, "/etc/passwd");
	if (o->group && o->group->user_case == PB__USER_OPT__USER_BY_NAME && o->group->byname->input == (int64_t)input)
		add_plain(list, "/etc/group");
}

static void add_copy(GArray *list, const Pb__FileActionCopy *c)
{
	struct contenthash_selector s = {
		.path = g_strdup(c->src),
		.wildcard = c->allowwildcard && file_has_wildcard(c->src),
		.follow_links = c->followsymlink,
		.include = as_list(c->include_patterns, c->n_include_patterns),
		.exclude = as_list(c->exclude_patterns, c->n_exclude_patterns),
		.required = as_list(c->required_paths, c->n_required_paths),
	};
	g_array_append_val(list, s);
}

static bool is_filtered(const struct contenthash_selector *s)
{
	return s->wildcard || s->include || s->exclude;
}

static bool is_beneath(const char *path, const char *directory)
{
	size_t n = strlen(directory);
	return strncmp(path, directory, n) == 0 &&
	       (path[n] == '/' || (n > 0 && directory[n - 1] == '/' && path[n] != '\0'));
}

/* Reports whether another plain selector of the same kind covers s, or s repeats an earlier one. */
static bool is_covered(const GArray *list, guint index)
{
	const struct contenthash_selector *s = &g_array_index(list, struct contenthash_selector, index);
	for (guint i = 0; i < list->len; i++) {
		const struct contenthash_selector *o = &g_array_index(list, struct contenthash_selector, i);
		if (i == index || is_filtered(o) || o->follow_links != s->follow_links)
			continue;
		if (is_beneath(s->path, o->path) || (i < index && g_str_equal(s->path, o->path)))
			return true;
	}
	return false;
}

static int order(const void *a, const void *b)
{
	const struct contenthash_selector *x = a, *y = b;
	return strcmp(x->path, y->path);
}

GArray *file_key_selectors(const Pb__FileOp *pb, unsigned input)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct contenthash_selector));
	GArray *kept = g_array_new(FALSE, FALSE, sizeof(struct contenthash_selector));
	g_array_set_clear_func(all, selector_clear);
	g_array_set_clear_func(kept, selector_clear);
	for (size_t i = 0; i < pb->n_actions; i++) {
		const Pb__FileAction *a = pb->actions[i];
		if (a->action_case != PB__FILE_ACTION__ACTION_SYMLINK)
			add_owner(all, file_action_owner(a), input);
		if (a->action_case == PB__FILE_ACTION__ACTION_COPY && a->secondaryinput == (int64_t)input)
			add_copy(all, a->copy);
	}
	/* Required paths of plain selectors are dropped: only filtered selectors check them. */
	for (guint i = 0; i < all->len; i++) {
		struct contenthash_selector *s = &g_array_index(all, struct contenthash_selector, i);
		bool filtered = is_filtered(s);
		if (!filtered && is_covered(all, i))
			continue;
		struct contenthash_selector copy = {.follow_links = s->follow_links, .wildcard = s->wildcard};
		copy.path = rooted(s->path);
		copy.include = g_steal_pointer(&s->include);
		copy.exclude = g_steal_pointer(&s->exclude);
		copy.required = filtered ? g_steal_pointer(&s->required) : NULL;
		g_array_append_val(kept, copy);
	}
	if (kept->len == 0) {
		struct contenthash_selector whole = {.path = g_strdup("/")};
		g_array_append_val(kept, whole);
	}
	g_array_sort(kept, order);
	return kept;
}
