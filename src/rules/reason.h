/* Why something was refused, stripped or let through: one code for each reason, with its words. The table is the contract
 * with attacks.md: audit events carry the code, people read the sentence and the remedy. */
#ifndef SAW_RULES_REASON_H
#define SAW_RULES_REASON_H

/* X(symbol, code, sentence, remedy) */
#define REASONS(X)                                                                                                      \
	X(OK, "ok", "allowed by policy", "")                                                                            \
	X(NO_ROUTE, "no_route", "no route leads to this address", "reach hosts by a listed name")                       \
	X(NO_LISTENER, "no_listener", "nothing of the gateway listens there", "use TCP to a listed name and port")      \
	X(NO_IPV6, "no_ipv6", "this link has no IPv6", "use IPv4")                                                      \
	X(FRAME_DROPPED, "frame_dropped", "frame is foreign, in pieces, source-routed, broken or not IPv4", "none: such frames are dropped")  \
	X(NAME_UNLISTED, "name_not_listed", "policy does not list this name", "ask Security to list the host")          \
	X(PORT_UNLISTED, "port_not_listed", "policy does not list this port for the name", "use a port that is listed, such as that of https, or ask Security to list this one") \
	X(NAME_MALFORMED, "malformed_name", "the name is not a legal host name", "send a host name of letters, digits and hyphens") \
	X(NAME_IS_ADDRESS, "not_a_host_name", "an address is not a host name", "reach hosts by a listed name")          \
	X(NAME_BUDGET, "name_budget_spent", "too many distinct names under this wildcard", "list the exact names, or restart the workspace") \
	X(NAME_POOL_FULL, "name_pool_full", "no synthetic address is left", "restart the workspace")                    \
	X(DNS_MALFORMED, "malformed_dns", "the DNS message is malformed", "send one well-formed question")              \
	X(DNS_TYPE, "dns_type_not_served", "only A questions are answered", "ask for A")                                \
	X(DNS_OPCODE, "dns_opcode", "only standard queries are answered", "send opcode QUERY")                          \
	X(DNS_TOO_FAST, "dns_too_fast", "questions come faster than they are recorded", "ask less often")               \
	X(ADDRESS_STALE, "address_of_no_name", "the address belongs to no listed name", "ask DNS again")                \
	X(ADDRESS_FORBIDDEN, "address_not_permitted", "the name resolves to an address that policy does not permit", "list the range under `addresses` of the rule") \
	X(SOURCE_SPOOFED, "source_spoofed", "the source is not this guest", "none: such packets are dropped")           \
	X(CNAME_CHAIN, "cname_chain_too_long", "the CNAME chain is too long", "fix the zone")                           \
	X(RESOLVE_FAILED, "resolution_failed", "the name could not be resolved", "check the resolver of the host")      \
	X(RESOLVE_NONE, "no_such_host", "the name has no address", "check the name")                                    \
	X(CONNECT_FAILED, "connection_failed", "no address of the host could be reached", "check the host and its firewall") \
	X(PROXY_REFUSED, "upstream_proxy_refused", "the upstream proxy refused the connection", "check the proxy's rules") \
	X(WRONG_DOOR, "wrong_door", "this part of the gateway may not ask for this name", "none: a part of the gateway misbehaves") \
	X(TLS_NOT, "not_tls", "the first bytes are not TLS", "speak TLS on this port")                                  \
	X(TLS_MALFORMED, "malformed_client_hello", "the ClientHello is malformed", "use a standard TLS client")         \
	X(TLS_TOO_LONG, "client_hello_too_long", "the ClientHello is over the limit", "use a standard TLS client")      \
	X(SNI_MISSING, "sni_missing", "the ClientHello has no server name", "use a client that sends SNI")              \
	X(SNI_MALFORMED, "malformed_sni", "the server name is malformed", "send one legal host name in SNI")            \
	X(SNI_MISMATCH, "sni_not_flow_name", "the server name is not the name of this address", "connect to the address that DNS gave for the name") \
	X(ECH_REAL, "encrypted_client_hello", "an encrypted ClientHello hides the name", "turn ECH off")                \
	X(FIRST_BYTES_LATE, "first_bytes_timeout", "the client did not say in time what it wants", "send the first bytes sooner") \
	X(HTTP_NOT, "not_http", "the first bytes are not HTTP", "speak HTTP/1.1 on this port")                          \
	X(HTTP_LINE_END, "malformed_line_end", "a line does not end in CR LF", "send CR LF")                            \
	X(HTTP_HEADER, "malformed_header", "a header field is malformed", "send RFC 9112 header fields")                \
	X(HTTP_TOO_LARGE, "headers_too_large", "the header section is over the limit", "send fewer or shorter fields")  \
	X(HTTP_TARGET_TOO_LONG, "target_too_long", "the request target is over the limit", "send a shorter target")     \
	X(HTTP_VERSION, "http_version", "the HTTP version is not supported", "use HTTP/1.1")                            \
	X(H2_MALFORMED, "malformed_h2", "the HTTP/2 message or connection is malformed", "use a standard HTTP/2 client") \
	X(H2_FLOOD, "h2_flood", "frames come that cost more than they ask for", "use a standard HTTP/2 client") \
	X(HTTP_METHOD, "malformed_method", "the method is not a token", "send a standard method")                       \
	X(HTTP_TARGET, "malformed_target", "the request target is malformed", "send an origin-form target")             \
	X(HTTP_DOT_SEGMENT, "dot_segment", "the path has a dot segment", "send the path without . and .. segments")     \
	X(HTTP_ENCODED_SLASH, "encoded_slash", "the path has an encoded slash", "ask for the rule's encoded-slash flag") \
	X(HTTP_SLASHES, "too_many_encoded_slashes", "the path has more encoded slashes than can be read both ways where a rule holds back", "write some of them as slashes") \
	X(HTTP_EMPTY_SEGMENT, "empty_segment", "the path has an empty segment", "send the path without //")             \
	X(HTTP_PARAMETER, "path_parameter", "the path has a `;` parameter", "send the path without ;")                     \
	X(HTTP_USERINFO, "userinfo_in_target", "the target has user information", "send credentials in no target")      \
	X(HTTP_HOST, "malformed_host", "Host is missing, doubled or malformed", "send exactly one Host")                \
	X(HTTP_AUTHORITY_MALFORMED, "malformed_authority", "the authority holds a byte that none has", "send host or host:port") \
	X(HTTP_AUTHORITY, "authority_not_flow_name", "the authority is not the name of this connection", "open a connection for each host") \
	X(HTTP_TWO_LENGTHS, "two_body_lengths", "the message says its body length twice", "send one Content-Length or one Transfer-Encoding") \
	X(HTTP_LENGTH, "malformed_content_length", "Content-Length is malformed", "send decimal digits")                \
	X(HTTP_CODING, "unsupported_transfer_encoding", "the transfer coding is not supported", "send exactly `chunked`") \
	X(HTTP_CHUNK, "malformed_chunk", "a chunk is malformed", "send RFC 9112 chunks")                                \
	X(HTTP_CHUNK_EXT, "malformed_chunk_extension", "a chunk extension is malformed or too long", "send chunks without extensions") \
	X(HTTP_NOMINATED, "connection_names_field", "Connection names a field that is not hop-by-hop", "send Connection: close or keep-alive") \
	X(HTTP_EXPECT, "unsupported_expect", "the expectation is not supported", "send 100-continue or nothing")        \
	X(HTTP_TIMEOUT, "request_timeout", "the request did not arrive in time", "send it faster")                      \
	X(HTTP_METHOD_UNLISTED, "method_not_listed", "policy lists no rule with this method here", "ask Security for a rule") \
	X(HTTP_PATH_UNLISTED, "path_not_listed", "policy lists no rule with this path", "ask Security for a rule")      \
	X(HTTP_CONDITION, "condition_not_met", "a condition of the rule is not met", "send what the rule lists, or ask Security to list this")       \
	X(HTTP_DENIED, "denied_by_rule", "a deny rule forbids this", "ask Security to narrow the rule")                                    \
	X(HTTP_OVERRIDE, "method_override", "a method override hides the real method", "send the real method")          \
	X(HTTP_FORM_CODED, "coded_form", "a form has a content coding, under which it may hide the real method", "send the form without Content-Encoding") \
	X(HTTP_FORM_CHARSET, "form_charset", "a form is in a character set in which it may hide the real method", "send the form in UTF-8") \
	X(VERDICT_DENY, "class_denied", "policy denies this class of action", "ask Security for an allow rule")                           \
	X(REVIEW_UNAVAILABLE, "review_not_available", "policy asks for a review, which is not available yet", "ask Security for an allow rule") \
	X(BODY_NEEDED, "body_needed", "the deciding rule reads the body, which was not given", "give the body with the request") \
	X(BODY_TOO_LARGE, "body_too_large_to_judge", "the body is over the limit up to which a rule can judge it", "send a smaller body") \
	X(BODY_CODED, "coded_body", "a rule must read the body, which has a content coding", "send the body without Content-Encoding") \
	X(BODY_NOT_PARSABLE, "body_not_parsable", "a rule must read the body, which is no JSON, or of git no push", "send well-formed JSON, or push with git") \
	X(BODY_AMBIGUOUS, "ambiguous_body", "a rule must read the body, which servers may read in different ways", "send each JSON member once and spelt exactly") \
	X(CREDENTIAL_UNBOUND, "credential_not_bound", "the credential of this host is not bound to this destination", "ask Security to bind the path") \
	X(GIT_NOT, "not_git", "the request is none of git's smart protocol", "use git over https; other services need an entry of their own") \
	X(GIT_UNLISTED, "git_operation_not_listed", "policy lists no rule for this git operation here", "ask Security for a rule") \
	X(GIT_REF_UNLISTED, "ref_not_listed", "policy lists no rule for this change of this ref", "push to a ref that policy lists") \
	X(GIT_PUSH_OPTIONS, "push_options_not_listed", "policy lists no push options here", "push without --push-option") \
	X(UPGRADE_REFUSED, "upgrade_not_listed", "policy does not allow this protocol upgrade", "ask Security for a rule") \
	X(UPSTREAM_UNVERIFIED, "upstream_not_verified", "the host's certificate does not prove its name", "ask the host's owner, or list its issuer under `ca` of the rule") \
	X(CA_MISSING, "ca_not_ready", "the workspace's certificate authority is not there yet", "try again in a moment") \
	X(TLS_HANDSHAKE, "tls_handshake_failed", "the TLS handshake with the client failed", "trust the workspace's CA certificate, or use a current TLS client") \
	X(TLS_BROKEN, "malformed_tls", "the client broke the rules of TLS after its handshake", "use a standard TLS client") \
	X(CREDENTIAL_MISSING, "credential_not_available", "the credential of this rule is not available", "store it with `saw secret set` under its id") \
	X(NOT_CANONICAL, "not_canonical", "a request that is not in canonical form came from another part of the gateway", "none: a part of the gateway misbehaves") \
	X(UPSTREAM_MALFORMED, "malformed_upstream", "the host's answer is malformed", "ask the host's owner")           \
	X(UPSTREAM_CLOSED, "upstream_closed", "the host closed the connection before its answer", "try again")          \
	X(UPSTREAM_TIMEOUT, "upstream_timeout", "the host did not answer in time", "try again")                         \
	X(CREDENTIAL_REFLECTED, "credential_reflected", "the host's answer shows the credential that was added", "ask Security to bind the credential to narrower paths") \
	X(ANSWER_CODED, "coded_answer", "the host's answer must be read, and it has a content coding", "ask the host's owner to answer without one when asked to") \
	X(ANSWER_PARTIAL, "partial_answer", "the host's answer must be read whole, and it is a part", "ask for the whole of it, and ask the host's owner to answer so") \
	X(WEBSOCKET_MALFORMED, "malformed_websocket", "what the client sent on its WebSocket is no frame of one", "send masked frames of RFC 6455, without extensions") \
	X(WEBSOCKET_IDLE, "websocket_idle", "nothing moved on the WebSocket for too long", "send a ping now and then") \
	X(TOO_MANY_FLOWS, "too_many_flows", "the workspace has too many open connections, or they hold too much memory", "close some, and read what comes on the others") \
	X(POLICY_CHANGED, "policy_changed", "the policy no longer allows this connection", "ask Security")              \
	X(POLICY_INVALID, "policy_refused", "the policy file was refused; the last good one stays", "see the message")  \
	X(AUDIT_UNWRITABLE, "audit_not_writable", "the audit log cannot be written, so nothing happens", "free disk space on the host") \
	X(ROLE_DOWN, "gateway_role_down", "a part of the gateway is restarting", "try again in a moment")               \
	X(GUEST_CLOSED, "guest_closed", "the guest closed the connection first", "none")                                \
	X(BUNDLE_MISSING, "bundle_missing", "there is no policy bundle", "give the workspace its policy again with `saw set-policy`") \
	X(BUNDLE_MALFORMED, "bundle_malformed", "this is no policy bundle, or a part of it is torn or too long", "make it with `saw policy sign`") \
	X(BUNDLE_NEWER, "bundle_newer", "the bundle has a format of a later version", "install the newer saw")          \
	X(BUNDLE_UNSIGNED, "bundle_unsigned", "the policy bundle is not signed", "sign it with `saw policy sign`")      \
	X(BUNDLE_SIGNATURE, "bundle_signature", "no trusted key made this signature over this manifest", "sign it again with a trusted key") \
	X(BUNDLE_KEY, "bundle_key_not_trusted", "the key that signed the policy bundle is not trusted here", "add it with `saw policy key add`, or sign with a trusted key") \
	X(BUNDLE_ALTERED, "bundle_altered", "the policy bundle was changed after it was signed", "sign it again")        \
	X(BUNDLE_MANIFEST, "bundle_manifest", "the policy bundle's manifest is malformed", "make it with `saw policy sign`") \
	X(BUNDLE_EXPIRED, "bundle_expired", "the policy bundle has expired", "have Security sign and push a new one")                          \
	X(BUNDLE_CHANNEL, "bundle_other_channel", "the policy bundle was signed for another channel", "push it to the channel of its manifest") \
	X(BUNDLE_OLDER, "bundle_older", "the policy bundle's serial is lower than the last one's", "sign with a higher serial, or roll the channel back") \
	X(NO_QUESTION, "no_question", "the query is no question about a request", "ask with url=https://host/path and, where it is not GET, method=POST") \
	X(READ_ONLY, "read_only_service", "this address only answers GET", "use GET") \
	X(CHANGE_RACED, "changed_meanwhile", "somebody else changed it in the same moment", "see what there is now, and try again") \
	X(CHANGE_FAILED, "change_failed", "the change was begun and could not be made", "see sawd.log in the state folder") \
	X(BUNDLE_AHEAD, "bundle_serial_ahead", "the policy bundle's serial is more than a year ahead of the clock, and a channel takes only higher ones from then on", "sign with a lower serial, or push it with --force (`force=1`)") \
	X(BUNDLE_NOT_TAKEN, "bundle_not_taken", "this machine could not check or keep the policy bundle, which says nothing against it", "see the message; push it again where it does not go by itself")

enum reason {
#define X(symbol, code, sentence, remedy) REASON_##symbol,
	REASONS(X)
#undef X
	REASON_COUNT
};

const char *reason_code(enum reason r);
const char *reason_sentence(enum reason r);
const char *reason_remedy(enum reason r);

#endif
