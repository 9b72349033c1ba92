/* SPDX-License-Identifier: Apache-2.0 */
#include "fssync/walk_filter.h"
#include "format/patterns.h"
#include "fssync/follow.h"

struct walk_filter {
	patterns *include; /* owned, NULL: everything */
	patterns *exclude; /* owned, NULL: nothing */
};

static patterns *read_list(const char *what, const char *const *list, GError **error)
{
	patterns *p = patterns_new(list, error);
	if (!p) {
		g_autofree char *joined = g_strjoinv(" ", (char **)list);
		g_prefix_error(error, "invalid %s: [%s]: ", what, joined);
	}
	return p;
}

walk_filter *walk_filter_new(int root_fd, const struct fssync_filter *request, GError **error)
{
	g_autoptr(walk_filter) f = g_new0(walk_filter, 1);
	g_auto(GStrv) include = follow_includes(root_fd, request->include, request->follow, error);
	if (!include)
		return NULL;
	if (*include && !(f->include = read_list("includepatterns", (const char *const *)include, error)))
		return NULL;
	if (request->exclude && *request->exclude &&
	    !(f->exclude = read_list("excludepatterns", request->exclude, error)))
		return NULL;
	return g_steal_pointer(&f);
}

void walk_filter_free(walk_filter *f)
{
	if (!f)
		return;
	patterns_free(f->include);
	patterns_free(f->exclude);
	g_free(f);
}

static size_t include_bits(const walk_filter *f)
{
	return f->include ? patterns_count(f->include) : 0;
}

size_t walk_filter_bits(const walk_filter *f)
{
	return include_bits(f) + (f->exclude ? patterns_count(f->exclude) : 0);
}

struct walk_filter_verdict walk_filter_check(const walk_filter *f, const char *path, bool is_dir,
					     const uint8_t *parent_bits, uint8_t *ret_bits)
{
	struct walk_filter_verdict v = {.wanted = true, .descend = is_dir};
	size_t at = include_bits(f);
	if (f->include && !patterns_match_in(f->include, path, parent_bits, ret_bits)) {
		v.wanted = false;
		v.descend = is_dir && patterns_may_match_below(f->include, path);
	}
	if (f->exclude && patterns_match_in(f->exclude, path, parent_bits ? parent_bits + at : NULL, ret_bits + at)) {
		v.wanted = false;
		v.descend = v.descend && patterns_may_except_below(f->exclude, path);
	}
	return v;
}
