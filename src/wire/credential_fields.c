#include "wire/credential_fields.h"

#include "base/num.h"
#include "wire/http1_head.h"
#include "wire/param_name.h"

/* Patterns: lower case, `-` between words; a `*` at one end stands for any rest there. Each line says where its names are written down. */

static const char *const fields[] = {
	/* RFC 9110, 11; RFC 6265; RFC 2965; RFC 9449; RFC 8471; RFC 9440 */
	"authorization", "proxy-authorization", "cookie", "cookie2", "dpop", "sec-token-binding", "client-cert", "client-cert-chain",
	/* what frameworks and gateways call them without anybody's registration */
	"x-api-key", "api-key", "x-apikey", "apikey", "x-auth-*", "x-access-*", "x-authorization", "x-jwt*", "x-key",
	"x-session*", "x-secret*", "x-password", "x-credential*", "x-signature*", "signature", "signature-input" /* RFC 9421 */, "auth",
	"authentication", "password", "secret", "bearer", "consumer-key", "x-wsse",
	/* families: whatever the service is called, and whether it puts hyphens between words (X-TrackerToken, X-MSTR-AuthToken). Of GitLab's REST
	 * API these are personal, project and deploy tokens and those of CI jobs, of GitHub and Gitea one-time codes, of frameworks those
	 * against forged requests, which are of no use without a cookie. */
	"*-api-key", "*apikey", "*-authorization", "*-authentication", "*-secret", "*-secret-key", "*-access-key", "*accesskey",
	"*-subscription-key", "*-application-key", "*-consumer-key", "*-password", "*-jwt-assertion", "*-otp", "*token",
	/* who a request is made for, where the credential may speak for others. Kubernetes; GitLab and Gitea; Redmine; Zendesk and others; Box;
	 * Dropbox; Discourse; Dynamics 365 */
	"impersonate-*", "x-impersonate-*", "sudo", "*-switch-user", "*-on-behalf-of", "as-user", "dropbox-api-select-*", "api-username",
	"mscrmcallerid", "callerobjectid",
	/* AWS Signature Version 4 and its session tokens: all of the signature goes, with what it covers */
	"x-amz-*", "x-amzn-*",
	/* Google Cloud: API keys, IAP and serverless identities */
	"x-goog-api-key", "x-goog-iap-*", "x-goog-iam-*", "x-goog-authenticated-user-*", "x-serverless-authorization", "x-firebase-*",
	/* Azure: API management, functions, event grid, app service */
	"ocp-apim-subscription-key", "x-functions-key", "aeg-sas-*", "x-ms-client-principal*", "x-ms-token-*", "x-zumo-auth", "x-arr-clientcert",
	/* Cloudflare: global keys by "x-auth-*"; Access service tokens */
	"cf-access-*",
	/* package hosts: Artifactory, NuGet */
	"x-jfrog-art-api*", "x-nuget-apikey",
	/* monitoring: Datadog by its families, New Relic, Sentry, Honeycomb */
	"x-insert-key", "x-query-key", "x-license-key", "x-sentry-auth", "x-honeycomb-team",
	/* RapidAPI, Parse */
	"x-rapidapi-*", "x-parse-*-key", "x-parse-master-key", "x-parse-session-token",
	/* identities that a proxy in front asserts: nobody's but the proxy's to say */
	"remote-user", "x-remote-*", "x-webauth-*", "x-authenticated-*", "x-user-token", "x-ssl-client-*", "ssl-client-*", "x-client-cert*",
	"x-tls-client-*", "oidc-*", "x-oidc-*", "x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "x-forwarded-access-token",
	"x-forwarded-client-cert",
};

/* "*token" that names no credential: paging and idempotence, and locks (RFC 4918, 10.5). */
static const char *const plain_fields[] = { "*continuation-token", "*page-token", "*idempotency-token", "*sync-token", "*delta-token",
					    "*continuationtoken", "*pagetoken", "*idempotencytoken", "*synctoken", "*deltatoken",
					    "lock-token" };

/* Lower case, no separators. */
static const char *const parameters[] = {
	/* RFC 6750, 2.3; RFC 6749; RFC 7523; OpenID Connect */
	"accesstoken", "refreshtoken", "idtoken", "idtokenhint", "clientsecret", "clientassertion", "assertion", "bearertoken", "bearer",
	/* RFC 5849, 3.5.3 */
	"oauth*",
	/* what services call them without anybody's registration */
	"apikey", "apitoken", "apisecret", "key", "token", "auth", "authkey", "authtoken", "authorization", "authentication", "appkey",
	"appsecret", "applicationkey", "secret", "secretkey", "password", "passwd", "pwd", "pass", "jwt", "sig", "signature", "hmac",
	"credential", "credentials", "session", "sessionid", "sessiontoken", "sid", "phpsessid", "jsessionid", "usertoken", "userkey",
	"accesskey", "accesskeyid", "otp",
	/* GitLab REST API */
	"privatetoken", "jobtoken", "personalaccesstoken", "deploytoken", "feedtoken", "rsstoken", "incomingemailtoken",
	/* AWS: presigned requests (Signature Version 4, and 2), CloudFront signed URLs */
	"xamz*", "awsaccesskeyid", "keypairid",
	/* Google Cloud: signed URLs, API keys by "key" */
	"xgoog*", "googleaccessid",
	/* Azure: shared access signatures by "sig", functions, API management */
	"code", "subscriptionkey",
	/* HubSpot, OpenWeather, CircleCI, Jenkins */
	"hapikey", "appid", "circletoken", "buildtoken",
	/* who the request is made for: GitLab and Gitea, Discourse */
	"sudo", "apiusername",
};

/* CGI-like servers make one variable of names that differ in anything but letters and digits. */
static uint8_t fold(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c | 0x20);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

static bool same(const uint8_t *name, const char *pattern, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fold(name[i]) != (uint8_t)pattern[i])
			return false;
	return true;
}

/* At most one '*', anywhere. */
static bool matches(struct bytes name, const char *pattern)
{
	const char *star = strchr(pattern, '*');
	size_t len = strlen(pattern), front, back;

	if (!star)
		return name.len == len && same(name.p, pattern, len);
	front = (size_t)(star - pattern);
	back = len - front - 1;
	return name.len >= front + back && same(name.p, pattern, front) && same(name.p + name.len - back, star + 1, back);
}

static bool in_table(struct bytes name, const char *const *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (matches(name, table[i]))
			return true;
	return false;
}

bool credential_field(struct bytes name)
{
	return in_table(name, fields, sizeof(fields) / sizeof(fields[0])) &&
	       !in_table(name, plain_fields, sizeof(plain_fields) / sizeof(plain_fields[0]));
}

/* The next byte of a name, decoded once. */
static uint8_t next(struct bytes *s)
{
	uint8_t c = s->p[0];
	int high = s->len > 2 ? num_hex_digit(s->p[1]) : -1, low = s->len > 2 ? num_hex_digit(s->p[2]) : -1;
	bool escaped = c == '%' && high >= 0 && low >= 0;

	*s = bytes_skip(*s, escaped ? 3 : 1);
	return escaped ? (uint8_t)((unsigned)high << 4 | (unsigned)low) : c;
}

/* Compares the bytes that count, in the one reading of brackets or the other (wire/param_name.h). */
static bool carries(struct bytes name, bool unclosed)
{
	uint8_t plain[32] = { 0 }; /* longer than any of the table; what is longer is compared by its front */
	size_t n = 0;

	while (name.len && n < sizeof(plain)) {
		uint8_t c = next(&name);
		enum param_name_byte is;

		if (unclosed && !param_name_unclosed(&c))
			return false;
		is = param_name_byte(n, c);
		if (is == PARAM_NAME_ENDS)
			break;
		if (is == PARAM_NAME_HAS && c != '-' && c != '_' && c != '.' && c != ' ' && c != '+')
			plain[n++] = fold(c);
	}
	return in_table(bytes_of(plain, n), parameters, sizeof(parameters) / sizeof(parameters[0]));
}

bool credential_query(struct bytes name)
{
	return carries(name, false) || carries(name, true);
}

static bool brings(struct bytes member)
{
	/* folded: Kubernetes; OpenAI Realtime */
	static const char *const fronts[] = { "base64url-bearer-authorization-", "openai-insecure-api-key" };

	for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++) {
		size_t n = strlen(fronts[i]);

		if (member.len >= n && same(member.p, fronts[i], n))
			return true;
	}
	return credential_query(bytes_of(member.p, bytes_find(member, '.'))); /* "bearer, TOKEN", "access_token.TOKEN" */
}

bool credential_subprotocol(struct bytes list)
{
	struct bytes member;

	while (http1_member_next(&list, &member))
		if (brings(member))
			return true;
	return false;
}

static size_t pair_len(struct bytes s)
{
	size_t a = bytes_find(s, '&'), b = bytes_find(s, ';');

	return a < b ? a : b;
}

bool credential_query_strip(struct bytes query, struct buf *out, size_t *ret_n)
{
	size_t start = out->len, n = 0;

	while (query.len) {
		struct bytes pair = bytes_of(query.p, pair_len(query));
		struct bytes separator = bytes_of(query.p + pair.len, pair.len < query.len);

		if (credential_query(bytes_of(pair.p, bytes_find(pair, '=')))) {
			n++;
			if (separator.len == 0 && out->len > start && !out->failed)
				out->len--; /* the separator in front of the last one */
		} else {
			(void)buf_bytes(out, pair);
			(void)buf_bytes(out, separator);
		}
		query = bytes_skip(query, pair.len + separator.len);
	}
	*ret_n = n;
	return !out->failed;
}
