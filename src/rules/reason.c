#include "rules/reason.h"

#include "base/must.h"

static const char *const words[REASON_COUNT][3] = {
#define X(symbol, code, sentence, remedy) { code, sentence, remedy },
	REASONS(X)
#undef X
};

const char *reason_code(enum reason r)
{
	must((unsigned)r < REASON_COUNT);
	return words[r][0];
}

const char *reason_sentence(enum reason r)
{
	must((unsigned)r < REASON_COUNT);
	return words[r][1];
}

const char *reason_remedy(enum reason r)
{
	must((unsigned)r < REASON_COUNT);
	return words[r][2];
}
