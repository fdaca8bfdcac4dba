/* Looks for a `_method` field in a query or form body: frameworks let it replace the method of the request line. */
#ifndef SAW_WIRE_HTTP1_FORM_H
#define SAW_WIRE_HTTP1_FORM_H

#include "wire/http1_head.h"

enum http1_form_kind { HTTP1_FORM_NONE, HTTP1_FORM_URLENCODED, HTTP1_FORM_MULTIPART };

/* By the media type; when several Content-Type fields disagree, the one that is a form counts. */
enum http1_form_kind http1_form_kind_of(const struct http1_head *h);

/* Fields are private to http1_form.c. Fed in pieces of any size. */
struct http1_form {
	enum http1_form_kind kind;
	uint8_t at; /* bytes of the name that matched so far */
	uint8_t escape; /* hex digits of an escape still to come */
	uint8_t high;
	bool skip; /* until the next separator */
	bool found;
};
void http1_form_init(struct http1_form *f, enum http1_form_kind kind);
/* True once the field was seen; stays true. Spellings that servers fold into it count too: escapes, leading blanks, `.method`. */
bool http1_form_feed(struct http1_form *f, struct bytes piece);
/* The text is over: a name may stand at its very end. */
bool http1_form_end(struct http1_form *f);

#endif
