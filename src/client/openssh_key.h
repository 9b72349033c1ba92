/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openssh_key: the private key in the file format of OpenSSH, openssh-key-v1 (PROTOCOL.key of OpenSSH), without a
 * passphrase: what is between the lines "OPENSSH PRIVATE KEY", decoded.
 *
 *	EVP_PKEY *key = openssh_key_parse(bytes, n, error);
 *
 * RSA, ECDSA (P-256, P-384, P-521) and Ed25519. The numbers are checked for size here, for their sense by whoever uses
 * the key (ssh_key.h). Thread: any.
 */
#pragma once
#include "base/error.h"
#include <openssl/evp.h>
#include <stdint.h>

/* Wiped by EVP_PKEY_free. Errors: INVALID_ARGUMENT with the texts of BuildKit. */
EVP_PKEY *openssh_key_parse(const uint8_t *bytes, size_t n, GError **error);
