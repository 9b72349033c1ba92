/* SPDX-License-Identifier: Apache-2.0 */
/* Any messages of a Status call (length byte, message, repeated) give pages whose only scripts are those of the page. */
#include "api/guard.h"
#include "timeline/data.h"
#include "timeline/page.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;
	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

static void check_json(char *text)
{
	json_t *parsed = json_loads(text, JSON_ALLOW_NUL, NULL);
	if (!parsed)
		abort();
	json_decref(parsed);
	g_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(timeline) t = timeline_new("fuzz", NULL);
	for (size_t at = 0; at < size;) {
		size_t n = MIN(data[at], size - at - 1);
		Control__StatusResponse *m =
			guard_unpack(&control__status_response__descriptor, data + at + 1, n, NULL);
		if (m)
			timeline_update(t, m);
		guard_free(m);
		at += n + 1;
	}
	timeline_analyze(t, 1);
	for (int served = 0; served < 2; served++) {
		struct timeline_page page = {.is_served = served};
		g_autofree char *html = timeline_page_build(t, &page), *both = timeline_page_compare(t, t, &page);
		if (count(html, "</script>") != 2 || count(both, "</script>") != 1)
			abort();
	}
	check_json(timeline_json(t, 0, 1, true));
	check_json(timeline_chrome_trace(t));
	return 0;
}
