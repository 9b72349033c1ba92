/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard lets through, protobuf-c unpacks; the first byte chooses the message. */
#include "api/guard.h"
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
		&control__solve_request__descriptor, &control__status_response__descriptor, &pb__definition__descriptor,
		&pb__op__descriptor, &fsutil__packet__descriptor, &google__status__descriptor,
		&content__write_content_request__descriptor,
	};
	if (n == 0)
		return 0;
	void *message = guard_unpack(kinds[bytes[0] % G_N_ELEMENTS(kinds)], bytes + 1, n - 1, NULL);
	if (!message)
		return 0;
	void *copy = message_copy(message);
	if (!copy)
		g_error("a message that was unpacked does not survive packing");
	guard_free(copy);
	guard_free(message);
	return 0;
}
