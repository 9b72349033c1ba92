/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl_absent: what Debian's libcurl.a asks of libraries that a self-contained program does without.
 *
 * Debian builds libcurl with Kerberos, LDAP, RTMP and SSH, and has no static Kerberos. Our transfers name "http,https" as
 * the only protocols and never ask for Negotiate, so that LDAP, RTMP and SSH have no caller: one that appears ends the
 * program with its name. Kerberos can still be asked for by a SOCKS5 proxy: there it fails, as a Kerberos without
 * credentials does, and the transfer ends with an error. A symbol that a newer libcurl needs is an error of the linker.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define GSS_S_FAILURE (13u << 16) /* RFC 2744, 3.9.1 */

/* clang-format off */
#define KERBEROS \
	X(gss_delete_sec_context) X(gss_display_name) X(gss_display_status) X(gss_import_name) \
	X(gss_init_sec_context) X(gss_inquire_context) X(gss_release_buffer) X(gss_release_name) \
	X(gss_unwrap) X(gss_wrap)

#define PROTOCOLS \
	X(RTMP_Alloc) X(RTMP_Close) X(RTMP_Connect1) X(RTMP_ConnectStream) X(RTMP_Free) X(RTMP_Init) \
	X(RTMP_Read) X(RTMP_SetBufferMS) X(RTMP_SetupURL) X(RTMP_Write) X(ber_bvfree) X(ber_free) \
	X(ber_memfree) X(ber_memvfree) X(ber_sockbuf_add_io) X(ldap_abandon_ext) X(ldap_err2string) \
	X(ldap_free_urldesc) X(ldap_get_attribute_ber) X(ldap_get_dn_ber) X(ldap_get_option) X(ldap_init_fd) \
	X(ldap_memfree) X(ldap_msgfree) X(ldap_msgtype) X(ldap_parse_result) X(ldap_parse_sasl_bind_result) \
	X(ldap_pvt_url_scheme2proto) X(ldap_result) X(ldap_sasl_bind) X(ldap_search_ext) X(ldap_set_option) \
	X(ldap_start_tls) X(ldap_unbind_ext) X(ldap_url_parse) X(libssh2_agent_connect) \
	X(libssh2_agent_disconnect) X(libssh2_agent_free) X(libssh2_agent_get_identity) \
	X(libssh2_agent_init) X(libssh2_agent_list_identities) X(libssh2_agent_userauth) \
	X(libssh2_channel_free) X(libssh2_channel_read_ex) X(libssh2_channel_send_eof) \
	X(libssh2_channel_wait_closed) X(libssh2_channel_wait_eof) X(libssh2_channel_write_ex) \
	X(libssh2_hostkey_hash) X(libssh2_knownhost_add) X(libssh2_knownhost_checkp) \
	X(libssh2_knownhost_del) X(libssh2_knownhost_free) X(libssh2_knownhost_get) \
	X(libssh2_knownhost_init) X(libssh2_knownhost_readfile) X(libssh2_knownhost_writefile) \
	X(libssh2_scp_recv2) X(libssh2_scp_send64) X(libssh2_session_abstract) \
	X(libssh2_session_block_directions) X(libssh2_session_callback_set) X(libssh2_session_disconnect_ex) \
	X(libssh2_session_flag) X(libssh2_session_free) X(libssh2_session_handshake) \
	X(libssh2_session_hostkey) X(libssh2_session_init_ex) X(libssh2_session_last_errno) \
	X(libssh2_session_last_error) X(libssh2_session_method_pref) X(libssh2_session_set_blocking) \
	X(libssh2_sftp_close_handle) X(libssh2_sftp_init) X(libssh2_sftp_last_error) \
	X(libssh2_sftp_mkdir_ex) X(libssh2_sftp_open_ex) X(libssh2_sftp_read) X(libssh2_sftp_readdir_ex) \
	X(libssh2_sftp_rename_ex) X(libssh2_sftp_rmdir_ex) X(libssh2_sftp_seek64) X(libssh2_sftp_shutdown) \
	X(libssh2_sftp_stat_ex) X(libssh2_sftp_statvfs) X(libssh2_sftp_symlink_ex) X(libssh2_sftp_unlink_ex) \
	X(libssh2_sftp_write) X(libssh2_userauth_authenticated) X(libssh2_userauth_keyboard_interactive_ex) \
	X(libssh2_userauth_list) X(libssh2_userauth_password_ex) X(libssh2_userauth_publickey_fromfile_ex) \
	X(libssh2_version)
/* clang-format on */

#define X(name) uint32_t name(void);
KERBEROS
#undef X
#define X(name) void name(void);
PROTOCOLS
#undef X
int libssh2_init(int flags);
void libssh2_exit(void);
extern const void *const GSS_C_NT_HOSTBASED_SERVICE;

const void *const GSS_C_NT_HOSTBASED_SERVICE;

/* Asked of every program by curl_global_init. */
int libssh2_init(int flags)
{
	return 0;
}

void libssh2_exit(void)
{
}

__attribute__((noreturn)) static void absent(const char *name)
{
	fprintf(stderr, "%s: this program was built without it\n", name);
	abort();
}

#define X(name)                                                                                                        \
	uint32_t name(void)                                                                                            \
	{                                                                                                              \
		return GSS_S_FAILURE;                                                                                  \
	}
KERBEROS
#undef X
#define X(name)                                                                                                        \
	void name(void)                                                                                                \
	{                                                                                                              \
		absent(#name);                                                                                         \
	}
PROTOCOLS
#undef X
