/* SPDX-License-Identifier: Apache-2.0 */
/* Armored blocks; each is read as a signature and as a keyring. */
#include "format/openpgp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct openpgp_armor r = {(const char *)bytes, (const char *)bytes + n};
	struct openpgp_signature signature;
	struct openpgp_key key;
	for (;;) {
		g_autofree char *type = NULL;
		g_autoptr(GBytes) block = NULL;
		if (!openpgp_armor_next(&r, &type, &block, NULL))
			break;
		gsize size;
		const void *data = g_bytes_get_data(block, &size);
		openpgp_signature_read(data, size, &signature, NULL);
		openpgp_key_find(data, size, "0123456789012345678901234567890123456789", &key);
	}
	openpgp_signature_read(bytes, n, &signature, NULL);
	openpgp_key_find(bytes, n, "0123456789012345678901234567890123456789", &key);
	return 0;
}
