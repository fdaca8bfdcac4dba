/* From libssl's error queue, the verification's result and errno to one reason of ours. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "net/tls_stream.h"

const char *tls_fault_text(enum tls_fault f)
{
	switch (f) {
	case TLS_FAULT_NONE:
		return "no fault";
	case TLS_FAULT_WRONG_NAME:
		return "the certificate is for another name";
	case TLS_FAULT_EXPIRED:
		return "the certificate has expired";
	case TLS_FAULT_NOT_YET_VALID:
		return "the certificate is not valid yet";
	case TLS_FAULT_UNKNOWN_ISSUER:
		return "the certificate's issuer is not known";
	case TLS_FAULT_SELF_SIGNED:
		return "the certificate is signed by itself or by a root that is not trusted";
	case TLS_FAULT_BAD_CERTIFICATE:
		return "the certificate is not acceptable";
	case TLS_FAULT_SNI:
		return "the hello does not name this host";
	case TLS_FAULT_ALPN:
		return "no application protocol in common";
	case TLS_FAULT_VERSION:
		return "no TLS version or cipher in common";
	case TLS_FAULT_ALERT:
		return "the peer refused the handshake or broke the connection off";
	case TLS_FAULT_PROTOCOL:
		return "the peer does not keep to TLS";
	case TLS_FAULT_CLOSED:
		return "the connection ended too early";
	case TLS_FAULT_SOCKET:
		return "the connection failed";
	case TLS_FAULT_INTERNAL:
		break;
	}
	return "out of memory";
}

static enum tls_fault of_verification(long result)
{
	switch (result) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return TLS_FAULT_WRONG_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_FAULT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_FAULT_NOT_YET_VALID;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return TLS_FAULT_SELF_SIGNED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return TLS_FAULT_UNKNOWN_ISSUER;
	default:
		return TLS_FAULT_BAD_CERTIFICATE;
	}
}

/* Of the handshake; later alerts are no negotiation. */
static enum tls_fault of_alert(int alert)
{
	switch (alert) {
	case SSL_AD_HANDSHAKE_FAILURE:
	case SSL_AD_PROTOCOL_VERSION:
	case SSL_AD_INSUFFICIENT_SECURITY:
		return TLS_FAULT_VERSION;
	case SSL_AD_NO_APPLICATION_PROTOCOL:
		return TLS_FAULT_ALPN;
	default:
		return TLS_FAULT_ALERT;
	}
}

static enum tls_fault of_reason(int reason)
{
	switch (reason) {
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return TLS_FAULT_CLOSED;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_VERSION_TOO_HIGH:
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SUITABLE_GROUPS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_WRONG_CIPHER_RETURNED:
	case SSL_R_UNKNOWN_CIPHER_RETURNED:
		return TLS_FAULT_VERSION;
	case SSL_R_NO_APPLICATION_PROTOCOL:
		return TLS_FAULT_ALPN;
	case ERR_R_MALLOC_FAILURE:
		return TLS_FAULT_INTERNAL;
	default:
		return reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + UINT8_MAX ?
			       of_alert(reason - SSL_AD_REASON_OFFSET) :
			       TLS_FAULT_PROTOCOL;
	}
}

static void find_in_queue(struct tls *t, unsigned long code)
{
	const char *text = ERR_reason_error_string(code);

	t->detail = text ? text : "";
	if (ERR_GET_LIB(code) != ERR_LIB_SSL) {
		t->fault = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? TLS_FAULT_INTERNAL : TLS_FAULT_PROTOCOL;
		return;
	}
	t->fault = of_reason(ERR_GET_REASON(code));
	if (t->open && ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET)
		t->fault = TLS_FAULT_ALERT;
	if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		long result = SSL_get_verify_result(t->ssl);

		t->fault = of_verification(result);
		t->detail = X509_verify_cert_error_string(result);
	}
}

void tls_fault_find(struct tls *t)
{
	unsigned long code = ERR_peek_last_error(); /* libssl's own word; what libcrypto said to it stands before */

	if (t->fault != TLS_FAULT_NONE)
		return;
	if (code) {
		find_in_queue(t, code);
		return;
	}
	t->fault = t->socket_errno == 0 || t->socket_errno == ECONNRESET || t->socket_errno == EPIPE ? TLS_FAULT_CLOSED :
												       TLS_FAULT_SOCKET;
	t->detail = t->socket_errno ? strerrordesc_np(t->socket_errno) : "";
}
