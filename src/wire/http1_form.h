/* Looks for a field in a query, form or JSON body that frameworks let replace the method of the request line: `_method`, or the name of a
 * header field that does. */
#ifndef SAW_WIRE_HTTP1_FORM_H
#define SAW_WIRE_HTTP1_FORM_H

#include "wire/http1_head.h"
#include "wire/part_name.h"

enum http1_form_kind {
	HTTP1_FORM_NONE,
	HTTP1_FORM_URLENCODED,
	HTTP1_FORM_MULTIPART, /* multipart/form-data */
	HTTP1_FORM_PARTS, /* any other multipart type: read alike, but uploads that are not meant as forms have it */
	HTTP1_FORM_JSON, /* no form, but some take its members for the fields of one */
};

/* Of a request that http1_request_canon() took, by its Content-Type: any multipart type is looked through, and a POST that names no type is a
 * form (Rack). JSON: of a POST. */
enum http1_form_kind http1_form_kind_of(const struct http1_head *h);
/* The same of its method and the value of that field, which is empty where there is none. */
enum http1_form_kind http1_form_kind_said(struct bytes method, struct bytes content_type);
/* One that may hide a method where nobody looks, and that is short or goes on soon: any but NONE and JSON. */
bool http1_form_is_form(enum http1_form_kind kind);

/* Fields are private to http1_form.c. Fed in pieces of any size. */
struct http1_form {
	enum http1_form_kind kind;
	uint8_t n; /* of the name so far */
	uint8_t escape; /* digits of an escape still to come */
	uint8_t at_name; /* multipart: bytes of `name=` that matched */
	uint8_t at_id; /* ... of `content-id:` */
	uint8_t at_ext; /* ... of `name*=` */
	uint8_t at_piece; /* ... of `name*0=` or `name*0*=` */
	uint8_t at_disposition; /* ... of `content-disposition` */
	bool in_disposition; /* multipart: in a field of that name */
	uint8_t last; /* multipart: the byte before this one */
	bool at_apart; /* multipart: before what matched of `name=` stood what separates parameters: it is no end of a longer word */
	bool apart; /* ... before that of this name */
	uint16_t code; /* of the escape so far */
	bool skip; /* this name is none of them */
	bool in_name; /* multipart: a name; JSON: any string */
	bool name_next; /* JSON: the next string is a name of the outermost object */
	bool object; /* JSON: the outermost value is one */
	bool found;
	uint64_t depth; /* JSON */
	struct part_name part; /* multipart: how the present name is written */
	uint8_t name[22];
};
void http1_form_init(struct http1_form *f, enum http1_form_kind kind);
/* True once the field was seen; stays true. Spellings that servers fold into it count too: any case, escapes, leading blanks, `.method`,
 * brackets around it. */
bool http1_form_feed(struct http1_form *f, struct bytes piece);
/* The text is over: a name may stand at its very end. */
bool http1_form_end(struct http1_form *f);

#endif
