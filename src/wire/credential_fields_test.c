#include "wire/credential_fields.h"

#include "base/tap.h"

/* H2 */
TEST(fields_that_carry_credentials_are_known_in_every_spelling)
{
	static const char *const yes[] = {
		"Authorization", "AUTHORIZATION", "authorization", "Proxy-Authorization", "Proxy_Authorization", "Cookie", "X-Api-Key",
		"x_api_key", "X.Api.Key", "X!Api~Key", "api-key", "APIKEY", "X-Auth-Token", "X-Auth-Email", "PRIVATE-TOKEN", "Job-Token", "Deploy-Token",
		"x-amz-security-token", "X-Amz-Date", "X-Goog-Api-Key", "X-Vault-Token", "X-GitHub-OTP", "Ocp-Apim-Subscription-Key",
		"CF-Access-Client-Secret", "DD-API-KEY", "DD-APPLICATION-KEY", "X-Shopify-Access-Token", "X-RapidAPI-Key", "xi-api-key",
		"Circle-Token", "X-JFrog-Art-Api", "X-NuGet-ApiKey", "DPoP", "Client-Cert", "X-SSL-Client-Verify", "X-Ms-Client-Principal-Id",
		"X-Serverless-Authorization", "token", "X-Parse-REST-API-Key", "X-Algolia-API-Key", "OpenAI-Api-Key", "x-openai-api-key",
		"X-Csrf-Token", "Signature", "X-Forwarded-Access-Token", "X-TrackerToken", "X-ChatWorkToken", "X-DocuSign-Authentication",
		"X-MSTR-AuthToken", "X-AuthToken", "X-AccessToken", "AuthToken", "ApiToken", "SessionToken", "X-UserToken", "X-Consumer-Key", "Consumer-Key",
		"X_UserToken", "X-MyApiKey", "X-Authentication", "X-WSSE", "Impersonate-User", "Impersonate-Group", "Impersonate-Extra-scopes",
		"Sudo", "SUDO", "X-Redmine-Switch-User", "X-On-Behalf-Of", "As-User", "Dropbox-API-Select-Admin", "Api-Username", "MSCRMCallerID",
	};
	static const char *const no[] = {
		"", "Accept", "Content-Type", "User-Agent", "Host", "X-Request-Id", "OpenAI-Organization", "anthropic-version", "anthropic-beta",
		"X-GitHub-Api-Version", "X-Continuation-Token", "x-ms-continuation", "X-Goog-User-Project", "Idempotency-Key", "If-Match",
		"npm-command", "Git-Protocol", "X-Goog-FieldMask", "authorizatio", "authorizations", "xauthorization", "tokens", "Range",
		"X-Next-Page-Token", "Origin", "Referer", "x-ms-continuationtoken", "X-NextPageToken", "Lock-Token", "tokenize", "X-Token-Type",
		"X-GitHub-Stats", "As-Users", "Pseudo", "X-Consumer-Id", "Stripe-Account", "Authentication-Info",
	};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!CHECK(credential_field(bytes_str(yes[i]))))
			printf("# %s\n", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (!CHECK(!credential_field(bytes_str(no[i]))))
			printf("# %s\n", no[i]);
}

/* H2 */
TEST(query_parameters_that_carry_credentials_are_known_in_every_spelling)
{
	static const char *const yes[] = {
		"access_token", "ACCESS_TOKEN", "access-token", "accessToken", "access.token", "%61ccess_token", "access%5ftoken", "access_token[]",
		"access_token%5B0%5D", "+access_token", "%20access_token", "access_token%00x", "api_key", "apikey", "key", "KEY", "token",
		"private_token", "job_token", "X-Amz-Signature", "X-Amz-Credential", "x-amz-security-token", "X-Goog-Signature",
		"AWSAccessKeyId", "oauth_token", "oauth_signature", "client_secret", "sig", "code", "subscription-key", "password", "PHPSESSID",
		"sudo", "api_username",
		/* Rack and Rails, qs */
		"private_token]", "[private_token]", "[private_token", "]private_token", "%5Bprivate_token%5D", "%5bprivate_token", "access_token%5D",
		"]token", "[token]", "[[access_token]]", "][key", "+[token", "token]x",
		/* PHP */
		"access[token", "private%5Btoken", "private[token%00]",
	};
	static const char *const no[] = {
		"", "q", "page", "page_token", "pageToken", "per_page", "service", "keys", "keyword", "tokens", "client_id", "state", "%", "%6",
		"%zzkey", "monkey", "prefix", "list-type", "continuation-token", "sort_key", "max-keys", "access_token_x_but_much_longer_than_any", "pseudo",
		"username", "filter[status]", "filter[token]", "ids[]", "page[size]", "access[token]", "private%5Btoken%5D", "[q]", "[]", "]", "tok]en",
	};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!CHECK(credential_query(bytes_str(yes[i]))))
			printf("# %s\n", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (!CHECK(!credential_query(bytes_str(no[i]))))
			printf("# %s\n", no[i]);
}

TEST(a_query_keeps_its_other_parameters_byte_for_byte)
{
	static const struct {
		const char *query, *want;
		size_t n;
	} vectors[] = {
		{ "", "", 0 },
		{ "a=1&b=%20&c", "a=1&b=%20&c", 0 },
		{ "access_token=x", "", 1 },
		{ "a=1&access_token=x", "a=1", 1 },
		{ "access_token=x&a=1", "a=1", 1 },
		{ "a=1&token=x&b=2", "a=1&b=2", 1 },
		{ "a=1;token=x&b=2", "a=1;b=2", 1 },
		{ "token=x&key=y&sig=z", "", 3 },
		{ "a=1&token&key", "a=1", 2 },
		{ "a&&b&", "a&&b&", 0 },
		{ "q=token=x", "q=token=x", 0 },
		{ "%74oken=x;a", "a", 1 },
		{ "[q]=1&private_token]=x&%5Btoken%5D=y&page[size]=2&private[token=z&ids[]=3", "[q]=1&page[size]=2&ids[]=3", 3 },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf out BUF_AUTO;
		size_t n = 77;

		buf_init(&out, 100);
		(void)buf_str(&out, "?");
		CHECK(credential_query_strip(bytes_str(vectors[i].query), &out, &n));
		CHECK_STR(buf_cstr(&out) + 1, vectors[i].want);
		CHECK_INT(n, vectors[i].n);
	}
}

TEST(a_full_buffer_is_said)
{
	struct buf out BUF_AUTO;
	size_t n;

	buf_init(&out, 3);
	CHECK(!credential_query_strip(bytes_str("a=1&b=2&token=x"), &out, &n));
}
