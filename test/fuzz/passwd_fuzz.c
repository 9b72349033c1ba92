/* SPDX-License-Identifier: Apache-2.0 */
/* Any file: a found entry has the requested name or id. */
#include "os/passwd_table.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice file = {bytes, n};
	struct passwd_entry entry;
	gid_t gid;
	if (passwd_table_find_user(file, "www", 0, &entry, NULL) > 0)
		g_assert_cmpmem(entry.name.ptr, entry.name.len, "www", 3);
	if (passwd_table_find_user(file, NULL, 1000, &entry, NULL) > 0)
		g_assert_cmpuint(entry.uid, ==, 1000);
	if (passwd_table_find_group(file, NULL, 50, &gid, NULL) > 0)
		g_assert_cmpuint(gid, ==, 50);
	g_autoptr(GArray) gids = g_array_new(FALSE, FALSE, sizeof(gid_t));
	const struct slice www = {(const uint8_t *)"www", 3};
	passwd_table_groups_of(file, www, gids, NULL);
	return 0;
}
