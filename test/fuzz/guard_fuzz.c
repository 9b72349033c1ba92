/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message that the guard accepts can be unpacked by protobuf-c and is valid for Go's decoder; the first byte selects
 * the type.
 */
#include "api/guard.h"
#include "api/wire_fault.h"
#include "content.pb-c.h"
#include "control.pb-c.h"
#include "fsutil.pb-c.h"
#include "gateway.pb-c.h"
#include "ops.pb-c.h"
#include "status.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const ProtobufCMessageDescriptor *const kinds[] = {
		&control__solve_request__descriptor,
		&control__status_response__descriptor,
		&pb__definition__descriptor,
		&pb__op__descriptor,
		&fsutil__packet__descriptor,
		&google__status__descriptor,
		&content__write_content_request__descriptor,
	};
	if (n == 0)
		return 0;
	const ProtobufCMessageDescriptor *kind = kinds[bytes[0] % G_N_ELEMENTS(kinds)];
	void *message = guard_unpack(kind, bytes + 1, n - 1, NULL);
	g_autofree char *fault = wire_fault(kind, bytes + 1, n - 1);
	if (message && fault)
		g_error("unpacked, although: %s", fault);
	if (!message)
		return 0;
	void *copy = message_copy(message);
	if (!copy)
		g_error("a message that was unpacked does not survive packing");
	guard_free(copy);
	guard_free(message);
	return 0;
}
