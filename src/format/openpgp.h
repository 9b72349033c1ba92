/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openpgp: reads armor and packets of OpenPGP (RFC 4880), as far as they are needed before another program verifies.
 *
 *	struct openpgp_armor r = {text, text + n};
 *	while (openpgp_armor_next(&r, &type, &bytes, error)) ...   type is "PGP SIGNATURE"
 *	if (!openpgp_signature_read(bytes, n, &signature, error)) ...
 *
 * All input is untrusted. Nothing is verified here. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct openpgp_armor {
	const char *at, *end; /* borrowed */
};
/*
 * Decodes the next block; text outside of blocks is ignored, and so are checksums. False at the end, or with *error set
 * if the block is damaged.
 */
bool openpgp_armor_next(struct openpgp_armor *r, char **ret_type, GBytes **ret, GError **error);

struct openpgp_signature {
	unsigned type, key_algorithm, hash_algorithm; /* RFC 4880, sections 5.2.1, 9.1, 9.4 */
};
/*
 * Reads the first packet of a detached signature. Errors: packets that are no signatures, versions other than 4, more
 * than 16 signatures.
 */
bool openpgp_signature_read(const void *bytes, size_t n, struct openpgp_signature *ret, GError **error);

/* INVALID_ARGUMENT if the bytes are not a sequence of packets. */
bool openpgp_keys_check(const void *bytes, size_t n, GError **error);

struct openpgp_key {
	unsigned rsa_bits;    /* 0: not an RSA key */
	bool has_revocations; /* there is a revocation, valid or not, in the block of the primary key */
};
/* Finds a key or subkey by its fingerprint (40 hex digits) in a keyring. False: the keyring does not have it. */
bool openpgp_key_find(const void *bytes, size_t n, const char *fingerprint, struct openpgp_key *ret);
