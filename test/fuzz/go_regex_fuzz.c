/* SPDX-License-Identifier: Apache-2.0 */
/* An expression, a subject: what matches as a whole matches anywhere; a replacement with $0 changes nothing. */
#include "format/go_regex.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 2048)
		return 0;
	g_autofree char *text = g_strndup((const char *)bytes, n);
	g_auto(GStrv) lines = g_strsplit(text, "\n", 2);
	if (!lines[0] || !lines[1])
		return 0;
	const char *subject = lines[1];
	g_autoptr(go_regex) re = go_regex_new(lines[0], NULL);
	bool matches;
	if (!re || !go_regex_match(re, subject, &matches, NULL))
		return 0;
	g_assert_true(matches || !go_regex_match_whole(re, subject, strlen(subject)));
	g_autofree char *same = go_regex_replace_all(re, subject, "${0}", strlen(subject), NULL);
	g_assert_true(!same || g_str_equal(same, subject));
	return 0;
}
