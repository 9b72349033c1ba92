/* SPDX-License-Identifier: Apache-2.0 */
/* An accepted request has a method and a path without control characters; its query and cookies can be read. */
#include "format/http_request.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_auto(http_request) r = {0};
	size_t head = http_request_head((const char *)data, size);
	if (head > size)
		abort();
	if (head == 0 || !http_request_parse((const char *)data, head, &r, NULL))
		return 0;
	if (*r.path != '/' || !*r.method)
		abort();
	for (const char *p = r.path; *p; p++)
		if ((unsigned char)*p < 0x20)
			abort();
	g_autofree char *value = http_form_get(r.query, "a"), *cookie = http_cookie_get(r.cookie, "a");
	http_host_is_literal(r.host);
	return 0;
}
