#include "rules/policy_problem.h"

#include <stdlib.h>

#include "base/utf8.h"

void policy_problem_add(struct policy_problems *p, enum policy_severity severity, uint32_t line,
			uint32_t column, const char *format, ...)
{
	BUF_AUTO struct buf raw, clean;
	struct policy_problem *v;
	va_list ap;

	p->n_errors += severity == POLICY_ERROR;
	buf_init(&raw, 8 * POLICY_PROBLEM_TEXT_MAX);
	buf_init(&clean, POLICY_PROBLEM_TEXT_MAX);
	va_start(ap, format);
	(void)buf_vfmt(&raw, format, ap);
	va_end(ap);
	for (struct bytes rest = buf_view(&raw); rest.len && !clean.failed;) {
		uint32_t c = 0;
		size_t n = utf8_next(rest, &c);

		if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
			buf_byte(&clean, '?');
		else
			buf_add(&clean, rest.p, n);
		rest = bytes_skip(rest, n ? n : 1);
	}
	v = p->n < POLICY_PROBLEMS_MAX ? realloc(p->v, (p->n + 1) * sizeof(*v)) : NULL;
	if (!v) {
		p->full = true;
		return;
	}
	p->v = v;
	v[p->n] = (struct policy_problem){ .severity = severity, .line = line, .column = column };
	v[p->n].text = bytes_dup(buf_view(&clean));
	if (v[p->n].text)
		p->n++;
	else
		p->full = true;
}

static int compare(const void *a, const void *b)
{
	const struct policy_problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	return strcmp(x->text, y->text);
}

void policy_problems_sort(struct policy_problems *p)
{
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), compare);
}

void policy_problems_deinit(struct policy_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].text);
	free(p->v);
	*p = (struct policy_problems){ 0 };
}

const char *policy_severity_text(enum policy_severity s)
{
	return s == POLICY_ERROR ? "error" : "warning";
}
