/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of clients: what is accepted keeps the limits, and can be packed again and written as JSON. */
#include "base/limits.h"
#include "trace/tracer.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void collect(void *data, struct trace_record *r)
{
	if (!r->foreign || r->n > (size_t)LIMIT_SPAN_BYTES)
		abort();
	g_ptr_array_add(data, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)trace_record_unref);
	g_autoptr(GBytes) message = g_bytes_new(data, size);
	int64_t rejected = 0;
	if (!trace_unpack(message, collect, records, &rejected, NULL))
		return 0;
	g_autoptr(GBytes) packed = trace_pack(records, 0, records->len);
	g_autoptr(GBytes) json = trace_json(packed, (size_t)MIB(1), NULL);
	if (!json)
		abort();
	g_autoptr(GPtrArray) again = g_ptr_array_new_with_free_func((GDestroyNotify)trace_record_unref);
	if (!trace_unpack(packed, collect, again, &rejected, NULL) || again->len != records->len || rejected != 0)
		abort();
	return 0;
}
