/* For tests of connections to hosts: a host of HTTP/2 at the other end of a socket pair. */
#ifndef SAW_PROXY_H2_HOST_RIG_H
#define SAW_PROXY_H2_HOST_RIG_H

#include "net/h2_server.h"
#include "proxy/h2_host.h"

enum { H2_HOST_RIG_STREAMS_MAX = 16 };

struct h2_host_rig {
	int fd; /* the host's end; -1 when it left */
	struct h2 *h2;
	struct h2_stream *streams[H2_HOST_RIG_STREAMS_MAX];
	struct buf said[H2_HOST_RIG_STREAMS_MAX]; /* what each was asked */
	size_t n_streams;
	size_t taken; /* bytes of all that was asked */
	bool silent; /* it takes nothing and says nothing, not even SETTINGS */
	bool ended; /* we left */
};

/* Gives our end. */
int h2_host_rig_start(struct h2_host_rig *r);
/* Takes what came and says what is to be said. False: nothing moved. */
bool h2_host_rig_move(struct h2_host_rig *r);
void h2_host_rig_answer(struct h2_host_rig *r, size_t i, const char *text);
/* A frame as it is, past all that net/h2 knows. */
void h2_host_rig_frame(struct h2_host_rig *r, uint8_t type, uint32_t id, struct bytes payload);
void h2_host_rig_leave(struct h2_host_rig *r);
void h2_host_rig_end(struct h2_host_rig *r);

/* good.example, port 80, generation 1, no credential. */
struct h2_host_key h2_host_rig_key(void);

#endif
