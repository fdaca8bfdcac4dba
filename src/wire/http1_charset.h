/* Which characters the bytes of a body are, as its Content-Type says by `charset`, and as the servers that heed it find that. */
#ifndef SAW_WIRE_HTTP1_CHARSET_H
#define SAW_WIRE_HTTP1_CHARSET_H

#include "base/bytes.h"

enum http1_charset {
	HTTP1_CHARSET_PLAIN, /* none is said, or UTF-8, ASCII or ISO 8859-1 */
	HTTP1_CHARSET_WIDER, /* another one in which the bytes of ASCII are its characters, and no other bytes are */
	/* One in which a server may find other ASCII than stands there (UTF-7, UTF-16, EBCDIC), one that is not known here, or one that is said in a
	 * way in which few servers would find it. */
	HTTP1_CHARSET_OTHER,
};

/* Wherever in the value it stands: behind a `;` or a comma (Rack), within another parameter's name or value (Tomcat), by the extended names of RFC 2231
 * (Python). Of several the strangest counts. */
enum http1_charset http1_charset_of(struct bytes content_type);

/* Of one name. */
enum http1_charset http1_charset_named(struct bytes name);

#endif
