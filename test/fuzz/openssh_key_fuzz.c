/* SPDX-License-Identifier: Apache-2.0 */
#include "client/openssh_key.h"
#include "client/ssh_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The decoded bytes of a key, and a key file: either is a key or an error. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) parse_error = NULL;
	g_autoptr(GError) file_error = NULL;
	EVP_PKEY *parsed = openssh_key_parse(data, size, &parse_error);
	if (!parsed != (parse_error != NULL))
		abort();
	EVP_PKEY_free(parsed);
	ssh_key *key = ssh_key_parse((const char *)data, size, &file_error);
	if (!key != (file_error != NULL) || (key && g_bytes_get_size(ssh_key_public(key)) == 0))
		abort();
	if (key)
		ssh_key_free(key);
	return 0;
}
