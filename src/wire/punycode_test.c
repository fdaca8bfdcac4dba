#include "wire/punycode.h"

#include "base/tap.h"

static bool canonical(const char *text)
{
	return punycode_canonical(bytes_str(text));
}

TEST(samples_of_rfc_3492_are_canonical)
{
	CHECK(canonical("egbpdaj6bu4bxfgehfvwxn")); /* section 7.1, (A) Arabic */
	CHECK(canonical("ihqwcrb4cv8a8dqg056pqjye")); /* (B) Chinese */
	CHECK(canonical("proprostnemluvesky-uyb24dma41a")); /* (D) Czech, in lower case */
	CHECK(canonical("4dbcagdahymbxekheh6e0a7fei0b")); /* (E) Hebrew */
	CHECK(canonical("n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa")); /* (K) Japanese */
	CHECK(canonical("d9juau41awczczp")); /* (R) */
}

TEST(what_no_encoder_writes_is_refused)
{
	CHECK(!canonical("") && !canonical("-") && !canonical("ab-"));
	CHECK(!canonical("zz") && !canonical("99999999") && !canonical("a.b") &&
	      !canonical("bcher_kva"));
	CHECK(!canonical("a")); /* U+0080 */
	CHECK(!canonical("ab-s13a") && !canonical("ab-zu3n") &&
	      !canonical("ab-313n")); /* three dots that are not '.' */
	CHECK(!canonical("0000000000000000000000000000000000000000000000000000000000000000000"));
}
